package server

import (
	"net/http"
	"strings"

	"github.com/counterfoil/counterfoil/server/pages"
)

// routes shows every URL, by who may call it. A route for GET answers HEAD, too;
// other methods get 405.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	group := func(access func(http.Handler) http.Handler, routes map[string]http.HandlerFunc) {
		for pattern, handler := range routes {
			mux.Handle(pattern, access(handler))
		}
	}

	// Everybody. No cookie is set, and none is read but by /auth.
	group(s.open, map[string]http.HandlerFunc{
		"GET /healthz":               s.healthz,
		"GET /readyz":                s.readyz,
		"GET /.well-known/jwks.json": s.sessions.JWKS().ServeHTTP,
		"GET /.well-known/oauth-authorization-server": s.wellKnown,
		"GET " + pages.StaticPath:                     pages.Static(http.HandlerFunc(s.notFound)).ServeHTTP,
		"GET /v1/openapi.json":                        openAPI,
		"GET /v1/status/{list}":                       s.sessions.StatusList().ServeHTTP,
		"GET /auth":                                   s.auth,
		"/auth":                                       s.auth, // Envoy asks with the method of what it asks about
		"POST /v1/login":                              s.apiLogin,
		"POST /v1/token":                              s.apiToken,
	})

	// Visitors with a browser. A POST needs the session's CSRF token.
	group(s.visitors, map[string]http.HandlerFunc{
		"GET /{$}":     s.start,
		"GET /login":   s.loginForm,
		"POST /login":  s.login,
		"POST /logout": s.logout,
		"GET /setup":   s.setupForm,
		"POST /setup":  s.setUp,
	})

	// Users with a browser who are logged in. Others are led to the login form.
	group(s.users, map[string]http.HandlerFunc{
		"GET /account":                      s.account,
		"POST /account/password":            s.changePassword,
		"POST /account/sessions/{sid}/end":  s.endSession,
		"POST /account/sessions/end-others": s.endOtherSessions,
	})

	// Programs with a session, by cookie or by bearer token.
	group(s.clients, map[string]http.HandlerFunc{
		"GET /v1/csrf": s.apiCSRF,
	})

	// Programs for which a user is logged in. Others get 401.
	group(s.userClients, map[string]http.HandlerFunc{
		"GET /v1/session":           s.apiSession,
		"POST /v1/session/token":    s.apiSessionToken,
		"DELETE /v1/session":        s.apiLogout,
		"GET /v1/sessions":          s.apiSessions,
		"DELETE /v1/sessions":       s.apiEndSessions,
		"DELETE /v1/sessions/{sid}": s.apiEndSession,
	})

	// Services that ask about a token, and whoever holds one: see oauth.go.
	group(s.introspectors, map[string]http.HandlerFunc{"POST /v1/introspect": s.apiIntrospect})
	group(s.holders, map[string]http.HandlerFunc{"POST /v1/revoke": s.apiRevoke})

	// Services that check access tokens themselves: see package verify.
	follow := s.feed.ServeHTTP
	group(s.verifiers, map[string]http.HandlerFunc{
		"GET /v1/feed":          s.untilDrain(follow),
		"POST /v1/feed/renew":   follow,
		"GET /v1/feed/snapshot": follow,
	})

	// Services that fetch events of ended sessions.
	group(s.pollers, map[string]http.HandlerFunc{
		"POST /v1/events/poll": s.untilDrain(s.pollEvents),
	})

	return s.withHeaders(s.withRecovery(s.withUnmatched(mux)))
}

// withUnmatched answers in our own words where no route matches.
func (s *Server) withUnmatched(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		switch {
		case strings.Contains(pattern, "{"): // what stands there only ServeHTTP notes
			mux.ServeHTTP(w, r)
			return
		case pattern != "":
			r.Pattern = pattern
			handler.ServeHTTP(w, r)
			return
		}
		// The mux's own answer tells 404 from 405, and which methods there are.
		answer := probe{header: http.Header{}}
		handler.ServeHTTP(&answer, r)
		if answer.status != http.StatusMethodNotAllowed {
			s.notFound(w, r)
			return
		}
		w.Header().Set("Allow", answer.header.Get("Allow"))
		s.fail(w, r, errMethod)
	})
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errNotFound) }

// A probe is an answer of which nobody reads the body.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
