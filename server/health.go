package server

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const readyTimeout = 2 * time.Second

// healthz says that the process runs.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	send(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// readyz says that sessions and users can be looked up.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	_, sessionsErr := s.sessions.Generation(ctx, "nobody")
	_, accountsErr := s.accounts.Empty(ctx)
	if err := errors.Join(sessionsErr, accountsErr); err != nil {
		s.fail(w, r, err)
		return
	}
	send(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ready\n"))
}
