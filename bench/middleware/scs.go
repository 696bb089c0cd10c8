package middleware

import (
	"io"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// newSCS mounts scs as its README shows. No IdleTimeout, which is the default
// and saves it a write per request; ours has one.
func newSCS(name string, s scs.Store) app {
	m := scs.New()
	m.Cookie.Secure = true
	if s != nil {
		m.Store = s
	}
	var other nextNote
	return app{name: name, kind: report.Peer, keepsOnServer: true, routes: wrap(m.LoadAndSave, map[string]http.HandlerFunc{
		login: func(w http.ResponseWriter, r *http.Request) {
			if err := m.RenewToken(r.Context()); err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			m.Put(r.Context(), "user", user)
			m.Put(r.Context(), "login", loginTime)
			m.Put(r.Context(), "note", notes[0])
		},
		identity: func(w http.ResponseWriter, r *http.Request) {
			if m.GetString(r.Context(), "user") != user {
				w.WriteHeader(http.StatusUnauthorized)
			}
		},
		read: func(w http.ResponseWriter, r *http.Request) {
			if m.GetString(r.Context(), "user") != user {
				w.WriteHeader(http.StatusUnauthorized)
			} else if len(m.GetString(r.Context(), "note")) != noteSize {
				w.WriteHeader(http.StatusInternalServerError)
			}
		},
		change: func(w http.ResponseWriter, r *http.Request) {
			if m.GetString(r.Context(), "user") != user {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			m.Put(r.Context(), "note", other.next())
		},
		show: func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, shown(m.GetString(r.Context(), "user"), m.GetTime(r.Context(), "login"), m.GetString(r.Context(), "note")))
		},
	})}
}
