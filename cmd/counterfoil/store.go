package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/postgres"
	"github.com/counterfoil/counterfoil/store/redis"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

// openStore opens where the sessions are.
func (o *options) openStore(ctx context.Context) (store.Store, error) {
	p, err := o.storePlace()
	if err != nil {
		return nil, err
	}
	var s store.Store
	switch p.kind {
	case inMemory:
		return memory.New(memory.Config{}), nil
	case inSQLite:
		s, err = sqlite.Open(ctx, p.at, sqlite.Config{})
	case inPostgres:
		s, err = postgres.Open(ctx, p.at, postgres.Config{})
	case inRedis:
		s, err = redis.Open(ctx, p.at, redis.Config{})
	}
	if err != nil {
		return nil, p.cannotOpen("store", err)
	}
	return s, nil
}

// openAccounts opens where the users are.
func (o *options) openAccounts(ctx context.Context) (*account.Accounts, error) {
	p, err := o.accountsPlace()
	if err != nil {
		return nil, err
	}
	open := account.Open
	if p.kind == inPostgres {
		open = account.OpenPostgres
	}
	a, err := open(ctx, p.at, account.Config{ContextWords: []string{"counterfoil"}})
	if err != nil {
		return nil, p.cannotOpen(o.accountsFlag(), err)
	}
	return a, nil
}

// withStore runs do with the sessions of the servers, which must be there: in a
// new file nothing is found, and who ended everything in it would believe that he
// had.
func (o *options) withStore(ctx context.Context, do func(store.Store) error) error {
	p, err := o.storePlace()
	if err != nil {
		return err
	}
	if err := p.mustHold(ctx, "session", "store", "sessions"); err != nil {
		return err
	}
	return o.withNewStore(ctx, do)
}

// withNewStore is withStore for what may be done before the first server starts.
// Sessions in memory are a server's alone.
func (o *options) withNewStore(ctx context.Context, do func(store.Store) error) (err error) {
	p, err := o.storePlace()
	if err != nil {
		return err
	}
	if p.kind == inMemory {
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

// withAccounts runs do with the users of the servers, which must be there.
func (o *options) withAccounts(ctx context.Context, do func(*account.Accounts) error) error {
	p, err := o.accountsPlace()
	if err != nil {
		return err
	}
	if err := p.mustHold(ctx, "account_user", o.accountsFlag(), "users"); err != nil {
		return err
	}
	return o.withNewAccounts(ctx, do)
}

// withNewAccounts is withAccounts for who may make the first user.
func (o *options) withNewAccounts(ctx context.Context, do func(*account.Accounts) error) (err error) {
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
