package pages_test

import (
	"crypto/rand"
	"net/http"

	"github.com/counterfoil/counterfoil/server/pages"
)

func ExampleLogin_Render() {
	http.Handle("GET "+pages.StaticPath, pages.Static(nil))
	http.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		nonce := rand.Text()
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; style-src 'nonce-"+nonce+"'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page := pages.Login{CSRF: "the session's token", Next: r.FormValue("next")}
		if err := page.Render(w, nonce); err != nil {
			return // the browser has gone
		}
	})
}
