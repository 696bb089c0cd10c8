package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// The groups of routes.go: each wraps its handlers in what decides about access.

func (s *Server) open(next http.Handler) http.Handler { return next }

// visitors lets everybody in who has no session, or a good one. Pages know
// cookies only: a bearer token would do without CSRF protection.
func (s *Server) visitors(next http.Handler) http.Handler {
	guarded := s.sessions.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.accounts.MakeWay()
		r.Header.Del("Authorization")
		guarded.ServeHTTP(w, r)
	})
}

func (s *Server) users(next http.Handler) http.Handler {
	return s.visitors(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !counterfoil.FromContext(r.Context()).Active() {
			toLogin(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

func (s *Server) clients(next http.Handler) http.Handler {
	guarded := s.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if counterfoil.FromContext(r.Context()).ID() == "" {
			s.fail(w, r, counterfoil.ErrNoSession)
			return
		}
		next.ServeHTTP(w, r)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.accounts.MakeWay()
		guarded.ServeHTTP(w, r)
	})
}

func (s *Server) userClients(next http.Handler) http.Handler {
	return s.clients(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !counterfoil.FromContext(r.Context()).Active() {
			s.fail(w, r, counterfoil.ErrNoSession)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// toLogin leads a visitor to the login form, and after that back to the page
// that he asked for. What he sent with a form is not kept.
func toLogin(w http.ResponseWriter, r *http.Request) {
	target := "/login"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		target += "?next=" + url.QueryEscape(r.URL.RequestURI()) // checked when it comes back
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// isAPI reports whether the client is a program, which reads problem+json, or a
// person, who reads pages.
func isAPI(r *http.Request) bool {
	p := r.URL.Path
	return p == "/v1" || strings.HasPrefix(p, "/v1/") || strings.HasPrefix(p, "/.well-known/") ||
		p == "/healthz" || p == "/readyz" || p == "/auth"
}
