package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

const (
	defaultDatabase = "counterfoil.db"
	defaultSecret   = "counterfoil.secret"
)

// A place is a parsed --store or --accounts. An empty path is memory.
type place struct{ path string }

func (p place) inMemory() bool { return p.path == "" }

// parsePlace reads the value of a flag. It does not repeat the value of kinds
// that carry a password.
func parsePlace(what, value string) (place, error) {
	kind, rest, ok := strings.Cut(value, ":")
	switch {
	case ok && kind == "sqlite" && rest != "":
		return place{rest}, nil
	case ok && kind == "memory" && rest == "":
		return place{}, nil
	case ok && kind == "postgres", ok && kind == "postgresql", ok && kind == "redis":
		return place{}, usagef("%s: %s is not in this version: use sqlite:PATH", what, kind)
	case !ok:
		return place{}, usagef("unknown %s %q (did you mean sqlite:%s?)", what, value, value)
	case kind == "sqlite":
		return place{}, usagef("unknown %s %q (did you mean sqlite:%s?)", what, value, defaultDatabase)
	}
	if meant := closest(kind, []string{"sqlite", "memory"}); meant == "memory" {
		return place{}, usagef("unknown %s %q (did you mean memory:?)", what, value)
	}
	return place{}, usagef("unknown %s %q (did you mean sqlite:%s?)", what, value, rest)
}

func (o *options) storePlace() (place, error) { return parsePlace("store", o.Store) }

func (o *options) accountsPlace() (place, error) {
	if o.Accounts == "" {
		p, err := o.storePlace()
		if p.inMemory() {
			p.path = defaultDatabase
		}
		return p, err
	}
	p, err := parsePlace("accounts", o.Accounts)
	if err == nil && p.inMemory() {
		return p, usagef("accounts can't be kept in memory: use sqlite:PATH")
	}
	return p, err
}

// openStore opens where the sessions are.
func (o *options) openStore(ctx context.Context) (store.Store, error) {
	p, err := o.storePlace()
	if err != nil {
		return nil, err
	}
	if p.inMemory() {
		return memory.New(memory.Config{}), nil
	}
	s, err := sqlite.Open(ctx, p.path, sqlite.Config{})
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// openAccounts opens where the users are.
func (o *options) openAccounts(ctx context.Context) (*account.Accounts, error) {
	p, err := o.accountsPlace()
	if err != nil {
		return nil, err
	}
	a, err := account.Open(ctx, p.path, account.Config{ContextWords: []string{"counterfoil"}})
	if err != nil {
		return nil, usageError{err}
	}
	return a, nil
}

// withStore runs do with the sessions of the servers. Those in memory are a
// server's alone.
func (o *options) withStore(ctx context.Context, do func(store.Store) error) (err error) {
	p, err := o.storePlace()
	if err != nil {
		return err
	}
	if p.inMemory() {
		return usagef("store memory: lives in its server alone: use the store that the server uses, such as sqlite:%s", defaultDatabase)
	}
	s, err := o.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(s)
}

// withManager is withStore for whoever ends sessions.
func (o *options) withManager(ctx context.Context, do func(*counterfoil.Manager) error) error {
	return o.withStore(ctx, func(s store.Store) error {
		return manage(counterfoil.Config{Store: s, TokenLife: counterfoil.MaxTokenLife}, do)
	})
}

// manage runs do with a manager of its own.
func manage(c counterfoil.Config, do func(*counterfoil.Manager) error) (err error) {
	c.OnEvent = server.Audit(slog.Default())
	c.Bound = -1 // a command looks a few times and goes: it keeps no view
	m, err := counterfoil.New(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return do(m)
}

// withAccounts runs do with the users.
func (o *options) withAccounts(ctx context.Context, do func(*account.Accounts) error) (err error) {
	a, err := o.openAccounts(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return do(a)
}

// withUser runs do with the user of that name.
func (o *options) withUser(ctx context.Context, name string, do func(*account.Accounts, account.User) error) error {
	return o.withAccounts(ctx, func(a *account.Accounts) error {
		user, err := a.Find(ctx, name)
		if errors.Is(err, account.ErrNotFound) {
			return fmt.Errorf("no such user: %q (counterfoil user list shows them)", name)
		}
		if err != nil {
			return err
		}
		return do(a, user)
	})
}

// besideDatabase is a file in the directory of the database, or in the working
// directory where there is none.
func (p place) besideDatabase(name string) string {
	if p.inMemory() {
		return name
	}
	return filepath.Join(filepath.Dir(p.path), name)
}
