package demo

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil/server/pages"
)

func (d *demo) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.page)
	mux.HandleFunc("POST /login", d.do(d.login))
	mux.HandleFunc("POST /logout", d.do(func(r *http.Request) error { return d.logout(r, false) }))
	mux.HandleFunc("POST /cut", d.do(func(r *http.Request) error { return d.logout(r, true) }))
	mux.Handle("GET "+pages.StaticPath, pages.Static(nil))
	// No other page may press the buttons.
	return http.NewCrossOriginProtection().Handler(mux)
}

// do runs an action and shows the page again.
func (d *demo) do(action func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		err := action(r)
		d.mu.Unlock()
		if err != nil {
			d.config.Log.ErrorContext(r.Context(), "the demonstration failed", "error", err)
			http.Error(w, "That did not work; the log says why.", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func (d *demo) page(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	page := pages.Demo{
		LoggedIn: d.token != "" && d.trial == nil,
		Trial:    d.trial,
		Bound:    d.config.Bound,
		TokenFor: time.Until(d.life),
	}
	for _, n := range d.nodes {
		status := 0
		if d.token != "" {
			status = n.check(r.Context(), d.token)
		}
		page.Nodes = append(page.Nodes, pages.DemoNode{Name: n.name, URL: n.url, Store: d.config.Store, Status: status})
	}
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if err := page.Render(w, nonce); err != nil {
		d.config.Log.ErrorContext(r.Context(), "the page could not be rendered", "error", err)
	}
}

func (d *demo) login(r *http.Request) error {
	token, life, err := d.nodes[0].login(r.Context(), d.user, d.password)
	if err != nil {
		return err
	}
	d.token, d.life, d.trial = token, time.Now().Add(life), nil
	return nil
}
