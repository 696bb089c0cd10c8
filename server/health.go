package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
)

const readyTimeout = 2 * time.Second

// healthz says that the process runs.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	send(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// readyAnswer is what readyz says.
type readyAnswer struct {
	Ready bool        `json:"ready"`
	View  *viewAnswer `json:"view,omitempty"` // none before the first proof, where checks don't rest on it
}

// viewAnswer is how fresh this node's view of ended sessions is.
type viewAnswer struct {
	Position uint64  `json:"position"`
	Age      float64 `json:"age_ms"`
	Left     float64 `json:"lease_left_ms"`
	Lag      float64 `json:"lag_ms"`              // of the latest end
	Canary   float64 `json:"canary_ms,omitempty"` // where it is switched on
}

// readyz says whether sessions can be judged and users looked up, and how fresh
// the view of ended sessions is.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	sessionsErr := s.sessions.Ready(ctx)
	_, accountsErr := s.accounts.Empty(ctx)
	if err := errors.Join(sessionsErr, accountsErr); err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, readyAnswer{Ready: true, View: newViewAnswer(s.sessions.Status())})
}

func newViewAnswer(status counterfoil.Status) *viewAnswer {
	if !status.Proven {
		return nil
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &viewAnswer{
		Position: status.Position,
		Age:      ms(status.Age),
		Left:     ms(status.Left),
		Lag:      ms(status.Lag),
		Canary:   ms(status.Canary),
	}
}
