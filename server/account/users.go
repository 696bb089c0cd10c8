package account

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

// A User is somebody who can log in.
type User struct {
	ID              string // "u_" and 26 letters and digits; random, and never used again
	Name            string // as the operator wrote it; two users differ in more than letter case
	Created         time.Time
	PasswordChanged time.Time
	Disabled        bool
}

// A record is a user with what nobody else gets to see.
type record struct {
	User
	key  string // the name as it is looked up
	hash string // of the password
}

// Add adds a user.
//
// A name has 1 to [MaxName] characters: letters and digits of any script and
// ASCII punctuation, no spaces (RFC 8265). Letter case is kept but does not
// count.
//
// Errors: [ErrNameInvalid], [ErrNameTaken], a [*PasswordError], [ErrBusy].
func (a *Accounts) Add(ctx context.Context, name, password string) (User, error) {
	return a.add(ctx, name, password, false)
}

// AddFirst is [Accounts.Add] for the very first user: where there is one
// already, it returns [ErrNotEmpty]. Of two at once, one wins.
func (a *Accounts) AddFirst(ctx context.Context, name, password string) (User, error) {
	return a.add(ctx, name, password, true)
}

func (a *Accounts) add(ctx context.Context, name, password string, first bool) (User, error) {
	name, key, err := canonicalName(name)
	if err != nil {
		return User{}, err
	}
	hash, err := a.hashNew(ctx, password, name)
	if err != nil {
		return User{}, err
	}
	r := record{User{ID: newID(), Name: name}, key, hash}
	err = a.db.Write(ctx, []string{"users"}, func(tx *database.Tx) error {
		if first {
			switch found, err := tx.Exists(ctx, sqlUserAny); {
			case err != nil:
				return err
			case found:
				return ErrNotEmpty
			}
		}
		switch _, err := find(ctx, tx.Conn, sqlUserByKey, key); {
		case err == nil:
			return ErrNameTaken
		case !errors.Is(err, database.ErrNoRow):
			return err
		}
		now := database.Millis(tx.Now)
		r.Created, r.PasswordChanged = database.FromMillis(now), database.FromMillis(now)
		_, err := tx.Exec(ctx, sqlUserInsert, r.ID, r.Name, now, now, r.Disabled, r.key, r.hash)
		return err
	})
	if err != nil {
		return User{}, failed("add user", err)
	}
	return r.User, nil
}

// Find returns the user of that name. Error: [ErrNotFound].
func (a *Accounts) Find(ctx context.Context, name string) (User, error) {
	r, err := find(ctx, a.db.Conn, sqlUserByKey, lookupKey(name))
	return r.User, failed("find user", err)
}

// List returns at most limit users in the order of their names, beginning
// behind the name after; empty: from the first.
func (a *Accounts) List(ctx context.Context, after string, limit int) ([]User, error) {
	if after != "" {
		after = lookupKey(after)
	}
	var users []User
	err := a.db.Each(ctx, func(scan database.Scanner) error {
		r, err := scanRecord(scan)
		users = append(users, r.User)
		return err
	}, sqlUserList, after, max(limit, 0))
	if err != nil {
		return nil, failed("list users", err)
	}
	return users, nil
}

// Empty reports whether there is no user yet.
func (a *Accounts) Empty(ctx context.Context) (bool, error) {
	found, err := a.db.Exists(ctx, sqlUserAny)
	return !found, failed("look for a user", err)
}

// Disable locks the user out: he can't log in until [Accounts.Enable], and his
// sessions are to be ended. Error: [ErrNotFound].
func (a *Accounts) Disable(ctx context.Context, id string) (Cutoff, error) {
	return a.cutOff(ctx, id, func(tx *database.Tx) error {
		return tx.Change(ctx, sqlUserDisable, true, id)
	})
}

// Enable lets a disabled user log in again. Error: [ErrNotFound].
func (a *Accounts) Enable(ctx context.Context, id string) error {
	return failed("enable user", a.db.Change(ctx, sqlUserDisable, false, id))
}

// Delete removes the user. His sessions are to be ended. His name is free, and
// whoever takes it gets another id. Error: [ErrNotFound].
func (a *Accounts) Delete(ctx context.Context, id string) (Cutoff, error) {
	return a.cutOff(ctx, id, func(tx *database.Tx) error {
		return tx.Change(ctx, sqlUserDelete, id)
	})
}

// SetPassword gives the user another password, for an operator who does not
// know the old one. His sessions are to be ended, and his known devices and
// places are forgotten: one of them may be the thief's.
//
// Errors: [ErrNotFound], a [*PasswordError], [ErrBusy].
func (a *Accounts) SetPassword(ctx context.Context, id, password string) (Cutoff, error) {
	user, err := find(ctx, a.db.Conn, sqlUserByID, id)
	if err != nil {
		return Cutoff{}, failed("find user", err)
	}
	hash, err := a.hashNew(ctx, password, user.Name)
	if err != nil {
		return Cutoff{}, err
	}
	return a.cutOff(ctx, id, func(tx *database.Tx) error {
		if err := forgetPlaces(ctx, tx, id, guess{}); err != nil {
			return err
		}
		return tx.Change(ctx, sqlUserSetPassword, hash, database.Millis(tx.Now), id)
	})
}

// hashNew checks a new password against the rules and hashes it.
func (a *Accounts) hashNew(ctx context.Context, password, name string) (string, error) {
	done, err := a.hasher.turn(ctx) // the rules cost time too
	if err != nil {
		return "", err
	}
	defer done()
	if err := checkPassword(password, append(wordsOf(name), a.words...)); err != nil {
		return "", err
	}
	return a.hasher.hash(password), nil
}

// userSubject is the subject of transactions about a user.
func userSubject(id string) string { return "user " + id }

func newID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return "u_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// find returns the only user of the query, or [database.ErrNoRow].
func find(ctx context.Context, c database.Conn, query, key string) (r record, err error) {
	err = c.One(ctx, func(scan database.Scanner) error {
		r, err = scanRecord(scan)
		return err
	}, query, key)
	return r, err
}

func scanRecord(scan database.Scanner) (record, error) {
	var r record
	var created, changed int64
	err := scan(&r.ID, &r.Name, &created, &changed, &r.Disabled, &r.key, &r.hash)
	if err != nil {
		return record{}, err
	}
	r.Created, r.PasswordChanged = database.FromMillis(created), database.FromMillis(changed)
	return r, nil
}
