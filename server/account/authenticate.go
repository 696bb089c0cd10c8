package account

import (
	"context"
	"errors"
	"net/netip"

	"github.com/counterfoil/counterfoil/server/database"
)

// An Attempt is one try to log in.
type Attempt struct {
	Name     string
	Password string
	Address  netip.Addr // of the client; the zero Addr: unknown
	Device   string     // what [Accounts.RememberDevice] returned to this browser, or empty
}

// Authenticate returns the user if the password is his. It takes the same way,
// and about the same time, whether or not there is such a user (ASVS 6.3.8).
//
// Errors: [ErrCredentials]; a [*ThrottledError] where guessing has failed too
// often, for a right password too; [ErrBusy] where too many are waiting. An
// attempt counts from the moment its password is looked at: hanging up in the
// middle does not undo it.
func (a *Accounts) Authenticate(ctx context.Context, at Attempt) (User, error) {
	r, err := a.check(ctx, guess{
		key:      lookupKey(at.Name),
		password: at.Password,
		address:  at.Address,
		device:   at.Device,
	})
	return r.User, err
}

// A Change is a user's wish for another password.
type Change struct {
	UserID   string
	Old, New string
	Address  netip.Addr // as in [Attempt]
	Device   string     // as in [Attempt]
}

// ChangePassword gives the user the password he chose, if he knows the old one
// (ASVS 6.2.3, 7.5.1); guessing at that is throttled like a login. The user's
// sessions are to be ended, all but the one that asks if the caller likes. The
// user's devices and places but this one are forgotten.
//
// Errors: those of [Accounts.Authenticate], and a [*PasswordError].
func (a *Accounts) ChangePassword(ctx context.Context, c Change) (Cutoff, error) {
	user, err := find(ctx, a.db.Conn, sqlUserByID, c.UserID)
	if errors.Is(err, database.ErrNoRow) {
		return Cutoff{}, ErrCredentials // deleted since he logged in
	} else if err != nil {
		return Cutoff{}, failed("find user", err)
	}
	g := guess{key: user.key, password: c.Old, address: c.Address, device: c.Device}
	if user, err = a.check(ctx, g); err != nil {
		return Cutoff{}, err
	}
	if c.New == c.Old {
		return Cutoff{}, &PasswordError{"The new password is the old one."}
	}
	hash, err := a.hashNew(ctx, c.New, user.Name)
	if err != nil {
		return Cutoff{}, err
	}
	cutoff, err := a.cutOff(ctx, user.ID, func(tx *database.Tx) error {
		if err := forgetPlaces(ctx, tx, user.ID, g); err != nil {
			return err
		}
		return tx.Change(ctx, sqlUserChangePassword, hash, database.Millis(tx.Now), user.ID, database.Millis(user.PasswordChanged))
	})
	if errors.Is(err, ErrNotFound) {
		return Cutoff{}, ErrCredentials // changed or deleted by somebody else meanwhile
	}
	return cutoff, err
}

// A guess is a password to be checked.
type guess struct {
	key      string // of the name
	password string
	address  netip.Addr
	device   string
}

// check runs a guess through the throttle and returns the user if it is right.
func (a *Accounts) check(ctx context.Context, g guess) (record, error) {
	t, done, err := a.admit(ctx, g)
	if err != nil {
		return record{}, err
	}
	defer done()
	// From here on the attempt counts, whether or not the visitor waits for it.
	ctx = context.WithoutCancel(ctx)
	ok, outdated, err := a.hasher.matches(t.user.hash, g.password)
	newHash := t.user.hash
	if ok && outdated {
		newHash = a.hasher.hash(g.password)
	}
	user, settleErr := a.settle(ctx, t, ok, newHash)
	if err := errors.Join(err, settleErr); err != nil {
		return record{}, failed("check password", err)
	}
	if user.ID == "" {
		return record{}, ErrCredentials
	}
	return user, nil
}
