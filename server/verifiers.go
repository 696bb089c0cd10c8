package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/counterfoil/counterfoil/server/client"
)

// verifiers lets clients in that may verify.
func (s *Server) verifiers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.authenticateClient(r, client.Verify)
		switch {
		case err == nil:
			next.ServeHTTP(w, r)
		case errors.Is(err, client.ErrDenied):
			s.auditClient(r, id)
			s.failAPI(w, r, err)
		default:
			// Logged where it was noticed, once: a thousand verifiers ask again
			// and again.
			problemFor(err).Write(w)
		}
	})
}

// mayVerify is asked again while a stream is open.
func (s *Server) mayVerify(r *http.Request) bool {
	_, err := s.authenticateClient(r, client.Verify)
	return err == nil
}

const (
	maxClientID     = 64 // bytes
	maxClientSecret = 256
)

// authenticateClient judges HTTP Basic credentials and returns the id that they
// name.
func (s *Server) authenticateClient(r *http.Request, to client.Capability) (id string, err error) {
	id, secret, err := basicCredentials(r)
	if err != nil {
		return "", err
	}
	_, err = s.programs.Authenticate(r.Context(), id, secret, to)
	return id, err
}

// basicCredentials returns what a client sends by HTTP Basic, each part as in a
// form (RFC 6749 section 2.3.1).
//
// Errors: client.ErrDenied.
func basicCredentials(r *http.Request) (id, secret string, err error) {
	id, secret, ok := r.BasicAuth()
	if !ok || len(r.Header.Values("Authorization")) > 1 || len(id) > maxClientID || len(secret) > maxClientSecret {
		return "", "", client.ErrDenied
	}
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	if idErr != nil || secretErr != nil {
		return "", "", client.ErrDenied
	}
	return id, secret, nil
}

// untilDrain ends a stream when the server is told to stop: it would go on for
// as long as the client likes.
func (s *Server) untilDrain(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.draining, cancel)()
		next(w, r.WithContext(ctx))
	}
}
