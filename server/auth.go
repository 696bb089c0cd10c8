package server

import (
	"net/http"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/forwardauth"
)

// openFront makes what answers reverse proxies. Without a public URL there is no
// login page to lead to, and so no front door.
func (s *Server) openFront(c Config) (err error) {
	if c.Sessions.PublicURL == "" {
		return nil
	}
	s.front, err = forwardauth.New(forwardauth.Config{
		Sessions:       s.sessions,
		LoginURL:       s.sessions.Issuer() + "/login", // the public URL in its one spelling
		Origins:        c.AppOrigins,
		TrustedProxies: c.TrustedProxies,
		AmbiguousPaths: c.AmbiguousPaths,
		IdentityToken:  c.IdentityTokens,
		OnRefusal: func(r *http.Request, err error) {
			Audit(s.log)(r.Context(), counterfoil.Event{Kind: counterfoil.RequestRefused, Address: s.clientAddress(r).String(), Err: err})
		},
	})
	s.appOrigins = c.AppOrigins // checked
	return err
}

// auth tells a reverse proxy whether a request that it has received may go on.
func (s *Server) auth(w http.ResponseWriter, r *http.Request) {
	if s.front == nil {
		s.notFound(w, r)
		return
	}
	s.accounts.MakeWay()
	s.front.ServeHTTP(w, r)
}
