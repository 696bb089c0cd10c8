package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/counterfoil/counterfoil/server/client"
)

// openClients makes ready to tell who asks. Which assertions were used is kept
// beside the users.
func (s *Server) openClients(ctx context.Context) (err error) {
	s.programs, err = client.OpenRegistry(ctx, s.store, s.accounts.Database(), s.log)
	return err
}

// verifiers lets clients in that may verify, and pollers those that may fetch
// events.
func (s *Server) verifiers(next http.Handler) http.Handler { return s.clientsFor(client.Verify, next) }
func (s *Server) pollers(next http.Handler) http.Handler   { return s.clientsFor(client.Poll, next) }

type clientKey struct{}

// clientOf returns the id of the client that was let in.
func clientOf(r *http.Request) string {
	id, _ := r.Context().Value(clientKey{}).(string)
	return id
}

func (s *Server) clientsFor(what client.Capability, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.accounts.MakeWay()
		id, err := s.authenticateClient(r, what)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, id)))
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

// auditClient logs that a client was not let in. Its secret may stand where its
// id should, so only an id of a client's form is named.
func (s *Server) auditClient(r *http.Request, id string) {
	if !client.IsID(id) {
		id = "unreadable"
	}
	s.log.LogAttrs(r.Context(), slog.LevelWarn, "audit",
		slog.String("event", "client_refused"),
		slog.String("client", id),
		slog.String("address", s.clientAddress(r).String()),
		slog.String("path", r.URL.Path))
}

// untilDrain ends a stream, or a wait for events, when the server is told to
// stop: it would go on for as long as the client likes, or longer than the
// server waits.
func (s *Server) untilDrain(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.draining, cancel)()
		next(w, r.WithContext(ctx))
	}
}
