package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
)

type userCmd struct {
	Add     userAddCmd     `cmd:"" help:"Add a user."`
	List    userListCmd    `cmd:"" help:"List the users."`
	Disable userDisableCmd `cmd:"" help:"Lock a user out and end his sessions."`
	Enable  userEnableCmd  `cmd:"" help:"Let a disabled user log in again."`
	Delete  userDeleteCmd  `cmd:"" help:"Remove a user and end his sessions."`
	Passwd  userPasswdCmd  `cmd:"" help:"Give a user another password and end his sessions."`
}

// userArg names the user whom a command is about.
type userArg struct {
	Name string `arg:"" help:"The user's name."`
}

// endSessions ends the sessions of a user who was changed, and prints what was
// done to him. Sessions in memory are ended by the server that has them, which
// finds the debt. So are those that are not found here: --store may not say where
// the servers keep them.
func (o *options) endSessions(ctx context.Context, a *account.Accounts, c account.Cutoff, done string) error {
	p, err := o.storePlace()
	if err != nil {
		return err
	}
	if p.kind == inMemory || errors.Is(p.mustHold(ctx, "session", "store", "sessions"), errNothing) {
		_, err := fmt.Printf("%s; a running server ends the sessions within 2 seconds\n", done)
		return err
	}
	return o.withManager(ctx, func(m *counterfoil.Manager) error {
		n, err := m.EndUser(ctx, c.UserID)
		if err == nil && n > 0 {
			err = a.CutoffDone(context.WithoutCancel(ctx), c)
		}
		if err != nil {
			return fmt.Errorf("%s, but the sessions could not be ended; a running server keeps trying: %w", done, err)
		}
		_, err = fmt.Printf("%s; sessions ended: %d\n", done, n)
		return err
	})
}

// audit logs what an operator did to a user.
func audit(event string, user account.User) {
	slog.Info("audit", "event", event, "user", user.ID, "name", user.Name, "by", "command line")
}
