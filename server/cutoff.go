package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
)

// cutoffInterval is how often the server looks for users whose sessions are to
// be ended.
const cutoffInterval = time.Second

// EndSessions ends all sessions of a user who was disabled or the like, and
// clears the debt. It returns how many there were.
//
// Errors: those of [counterfoil.Manager.EndUser] and of the accounts. The debt
// stays then, and every running server tries again.
func EndSessions(ctx context.Context, sessions *counterfoil.Manager, accounts *account.Accounts, c account.Cutoff) (int, error) {
	n, err := sessions.EndUser(ctx, c.UserID)
	if err != nil {
		return 0, err
	}
	return n, accounts.CutoffDone(context.WithoutCancel(ctx), c)
}

// settleCutoffs ends the sessions of all users who are due.
func (s *Server) settleCutoffs(ctx context.Context) error {
	due, err := s.accounts.PendingCutoffs(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range due {
		_, err := EndSessions(ctx, s.sessions, s.accounts, c)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// watchCutoffs settles what nobody else does. Who disables a user, here or on
// the command line, ends his sessions himself, and a user who changes his
// password keeps the one at hand; so a debt is given one interval before it
// counts as forgotten.
func (s *Server) watchCutoffs(ctx context.Context) {
	ticker := time.NewTicker(cutoffInterval)
	defer ticker.Stop()
	var before []account.Cutoff
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		due, err := s.settleForgotten(ctx, before)
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the sessions of changed users could not be ended; trying again", "error", err)
		}
		before = due
	}
}

// settleForgotten settles the debts that there were before, and returns those
// that there are.
func (s *Server) settleForgotten(ctx context.Context, before []account.Cutoff) ([]account.Cutoff, error) {
	s.passwords.Lock()
	defer s.passwords.Unlock()
	due, err := s.accounts.PendingCutoffs(ctx)
	errs := []error{err}
	for _, c := range due {
		if slices.Contains(before, c) {
			_, err := EndSessions(ctx, s.sessions, s.accounts, c)
			errs = append(errs, err)
		}
	}
	return due, errors.Join(errs...)
}
