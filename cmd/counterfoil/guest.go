package main

import (
	"context"
	"path/filepath"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

// A guest is a store as demo and bench use it: with the sessions of the servers,
// and documents of its own. Otherwise the signing keys of the servers would be
// in the way, and on an empty store keys would stay behind for which nobody has
// the secret.
type guest struct {
	store.Store
	documents *memory.Store
}

// Document returns the guest's.
func (g guest) Document(ctx context.Context, name string) ([]byte, uint64, error) {
	return g.documents.Document(ctx, name)
}

// SwapDocument writes the guest's.
func (g guest) SwapDocument(ctx context.Context, name string, version uint64, data []byte) error {
	return g.documents.SwapDocument(ctx, name, version, data)
}

// openGuest returns what opens the store of --store for each of several nodes,
// or without that flag a SQLite file in dir, and its name for people.
func (o *options) openGuest(dir string) (open func(context.Context) (store.Store, error), name string, err error) {
	p, err := o.storePlace()
	switch {
	case err != nil:
		return nil, "", err
	case p.kind == inMemory:
		return nil, "", usagef("store memory: is each node's own: give one that nodes can share, or none")
	case o.Store == "sqlite:"+defaultDatabase:
		file := filepath.Join(dir, "sessions.db")
		return func(ctx context.Context) (store.Store, error) {
			return sqlite.Open(ctx, file, sqlite.Config{})
		}, "one SQLite file", nil
	}
	documents := memory.New(memory.Config{})
	return func(ctx context.Context) (store.Store, error) {
		s, err := o.openStore(ctx)
		if err != nil {
			return nil, err
		}
		return guest{s, documents}, nil
	}, map[kind]string{inSQLite: "one SQLite file", inPostgres: "PostgreSQL", inRedis: "Redis"}[p.kind], nil
}
