package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
)

// authenticate checks a name and a password, for the page and for the API. Where
// there is no such user it takes the same way, and the same time (ASVS 6.3.8).
//
// Errors: those of account.Authenticate, and counterfoil.ErrUnavailable.
func (s *Server) authenticate(r *http.Request, name, password, device string) (counterfoil.Login, error) {
	ctx := r.Context()
	known, err := s.accounts.Find(ctx, name)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return counterfoil.Login{}, err
	}
	// Before the password is looked at: if all sessions of the user are ended
	// from here on, say because he is disabled, this login fails as well.
	generation, err := s.sessions.Generation(ctx, cmp.Or(known.ID, "nobody"))
	if err != nil {
		return counterfoil.Login{}, err
	}
	user, err := s.accounts.Authenticate(ctx, account.Attempt{
		Name:     name,
		Password: password,
		Address:  s.clientAddress(r),
		Device:   device,
	})
	if err == nil && user.ID != known.ID { // deleted and added anew meanwhile
		err = account.ErrCredentials
	}
	if err != nil {
		s.auditFailure(ctx, r, "login_failed", cmp.Or(known.Name, maskName(name)), err)
		return counterfoil.Login{}, err
	}
	return counterfoil.Login{User: user.ID, Name: user.Name, Since: generation}, nil
}

// auditFailure logs a wrong password or a throttled try.
func (s *Server) auditFailure(ctx context.Context, r *http.Request, event, name string, err error) {
	s.log.LogAttrs(ctx, slog.LevelWarn, "audit",
		slog.String("event", event),
		slog.String("name", name),
		slog.String("address", s.clientAddress(r).String()),
		slog.String("reason", err.Error()))
}
