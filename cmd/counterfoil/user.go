package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

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

// endSessions ends the sessions of a user who was changed, as far as they are
// found here, and prints what was done to him. The debt is left to the servers,
// even so: --store may not say where they keep their sessions. It waits until one
// has settled it, since a session that the user begins before that ends, too.
func (o *options) endSessions(ctx context.Context, a *account.Accounts, c account.Cutoff, done string) error {
	n, err := o.endFound(ctx, c.UserID)
	if err != nil {
		return fmt.Errorf("%s, but the sessions could not be ended; a running server keeps trying: %w", done, err)
	}
	settled, err := awaitSettled(ctx, a, c)
	switch {
	case err != nil:
		return fmt.Errorf("%s; sessions ended: %d; it is not known whether a server ends those that are left: %w", done, n, err)
	case !settled:
		_, err = fmt.Printf("%s; sessions ended: %d; no server took it up within %v: the next that starts ends those that are left\n", done, n, settleTime)
	case n == 0: // the server does not say how many it found
		_, err = fmt.Printf("%s; a running server has ended the sessions\n", done)
	default:
		_, err = fmt.Printf("%s; sessions ended: %d\n", done, n)
	}
	return err
}

// endFound ends the sessions of a user in the store that --store names, if there
// is one, and returns how many.
func (o *options) endFound(ctx context.Context, userID string) (n int, err error) {
	if p, err := o.storePlace(); err != nil || p.kind == inMemory {
		return 0, err
	}
	err = o.withManager(ctx, func(m *counterfoil.Manager) error {
		n, err = m.EndUser(ctx, userID)
		return err
	})
	if errors.Is(err, errNothing) {
		return 0, nil
	}
	return n, err
}

// settleTime is how long to wait for the servers. They look once a second, and
// take up what they find for the second time.
const settleTime = 3 * time.Second

// awaitSettled waits until a server has settled the debt, for at most settleTime,
// and reports whether one has.
func awaitSettled(ctx context.Context, a *account.Accounts, c account.Cutoff) (bool, error) {
	for deadline := time.Now().Add(settleTime); ; {
		due, err := a.PendingCutoffs(ctx)
		if err != nil {
			return false, err
		}
		stands := slices.ContainsFunc(due, func(d account.Cutoff) bool { return d.UserID == c.UserID && d.Seq >= c.Seq })
		if !stands || time.Now().After(deadline) {
			return !stands, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// audit logs what an operator did to a user.
func audit(event string, user account.User) {
	slog.Info("audit", "event", event, "user", user.ID, "name", user.Name, "by", "command line")
}
