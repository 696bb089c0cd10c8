package middleware

import (
	"net/http"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// newBare is a handler without any session: what the harness itself costs.
func newBare(name string) app {
	return app{name: name, kind: report.Limit, routes: routes{
		identity: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(r.Header["Cookie"]) == 0 {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}),
	}}
}
