package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/server/account"
)

// cutoffInterval is how often the server looks for users whose sessions are to
// be ended.
const cutoffInterval = time.Second

// endSessions ends all sessions of a user who was disabled or the like, and
// clears the debt. If it fails the debt stays, and every running server tries
// again.
func (s *Server) endSessions(ctx context.Context, c account.Cutoff) error {
	if _, err := s.sessions.EndUser(ctx, c.UserID); err != nil {
		return err
	}
	return s.accounts.CutoffDone(context.WithoutCancel(ctx), c)
}

// settleCutoffs ends the sessions of all users who are due.
func (s *Server) settleCutoffs(ctx context.Context) error {
	due, err := s.accounts.PendingCutoffs(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range due {
		errs = append(errs, s.endSessions(ctx, c))
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
			errs = append(errs, s.endSessions(ctx, c))
		}
	}
	return due, errors.Join(errs...)
}
