package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/store"
)

type sessionEndCmd struct {
	SID  string `arg:"" optional:"" name:"sid" help:"The session's id."`
	User string `placeholder:"NAME" help:"End the sessions of this user."`
	All  bool   `help:"End every session of everybody."`
}

// Validate implements kong's check after parsing.
func (c *sessionEndCmd) Validate() error {
	given := 0
	for _, is := range []bool{c.SID != "", c.User != "", c.All} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("say which sessions: SID, --user NAME or --all")
	}
	return nil
}

func (c *sessionEndCmd) Run(ctx context.Context, o *options) error {
	switch {
	case c.User != "":
		return o.withUser(ctx, c.User, func(_ *account.Accounts, user account.User) error {
			return o.withManager(ctx, func(m *counterfoil.Manager) error {
				return printEnded(m.EndUser(ctx, user.ID))
			})
		})
	case c.All:
		return o.withManager(ctx, func(m *counterfoil.Manager) error { return printEnded(m.EndAll(ctx)) })
	}
	return o.withStore(ctx, func(s store.Store) error { return c.endOne(ctx, s) })
}

// endOne tells a session that ended from one that was not there: a mistyped id
// must not look like success.
func (c *sessionEndCmd) endOne(ctx context.Context, s store.Store) error {
	sid, err := store.ParseSID(c.SID)
	if err != nil {
		return usageError{err}
	}
	if _, err := s.Find(ctx, sid); errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no live session %s: see session list", c.SID)
	} else if err != nil {
		return err
	}
	return manage(counterfoil.Config{Store: s, TokenLife: counterfoil.MaxTokenLife}, func(m *counterfoil.Manager) error {
		if err := m.End(ctx, c.SID); err != nil {
			return err
		}
		_, err := fmt.Println("ended", c.SID)
		return err
	})
}

func printEnded(n int, err error) error {
	if err != nil {
		return err
	}
	if n < 0 {
		_, err = fmt.Println("ended all sessions")
		return err
	}
	_, err = fmt.Println("sessions ended:", n)
	return err
}
