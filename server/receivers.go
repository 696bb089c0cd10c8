package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/server/outbox"
)

// openOutbox makes ready to tell clients of ended sessions. The messages are
// kept beside the users. It is opened before the sessions, and run after.
func (s *Server) openOutbox(ctx context.Context, c Config) (err error) {
	s.outbox, err = outbox.Open(ctx, s.accounts.Database(), outbox.Config{
		Log:       s.store,
		Receivers: s.receivers,
		Issuer:    func() string { return s.sessions.Issuer() },
		Sign:      func(typ string, claims any) (string, error) { return s.sessions.SignJWT(typ, claims) },
		Allowed:   c.ReceiverNetworks,
		Logger:    s.log,
	})
	return err
}

// wakeOutbox makes it look at the log when a session may have ended here.
func (s *Server) wakeOutbox(kind counterfoil.EventKind) {
	switch kind {
	case counterfoil.LoggedIn, counterfoil.LoggedOut, counterfoil.SessionsEnded, counterfoil.TokenReused:
		s.outbox.Wake()
	}
}

// receivers lists whom to tell.
func (s *Server) receivers(ctx context.Context) (receivers []outbox.Receiver, err error) {
	clients, err := client.List(ctx, s.store)
	for _, c := range clients {
		if c.LogoutURL != "" {
			receivers = append(receivers, outbox.Receiver{Client: c.ID, Way: outbox.Logout, URL: c.LogoutURL})
		}
		if c.EventsURL != "" {
			receivers = append(receivers, outbox.Receiver{Client: c.ID, Way: outbox.Push, URL: c.EventsURL})
		}
		if c.May(client.Poll) {
			receivers = append(receivers, outbox.Receiver{Client: c.ID, Way: outbox.Poll})
		}
	}
	return receivers, err
}

// maxPollBody fits a thousand acknowledgements.
const maxPollBody = 256 << 10

// pollEvents hands events of ended sessions to a client that may fetch them
// (RFC 8936).
func (s *Server) pollEvents(w http.ResponseWriter, r *http.Request) {
	body, err := readBodyOf(w, r, jsonType, maxPollBody)
	if err != nil {
		s.failAPI(w, r, err)
		return
	}
	var request outbox.PollRequest
	if json.Unmarshal(body, &request) != nil || !request.Valid() {
		s.failAPI(w, r, errUnreadable)
		return
	}
	polled, err := s.outbox.Poll(r.Context(), clientOf(r), request)
	if err != nil {
		s.log.ErrorContext(r.Context(), "events could not be handed to a client", "client", clientOf(r), "error", err)
		s.failAPI(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, polled)
}
