package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store"
)

const (
	rereadAfter = 5 * time.Second // a change is followed within that
	rereadPause = time.Second     // for an id that is not known: it may be new
	readTimeout = 2 * time.Second

	// forgetAfter is how long the list counts when it can't be read again: what
	// is allowed needs the store, too, or a lease that is far shorter.
	forgetAfter = time.Minute
)

// A Registry authenticates clients. It remembers the list of the store, and
// reads it again when it is asked after a while. Make it with [OpenRegistry]; it
// is safe for concurrent use.
type Registry struct {
	store store.Store
	db    *database.DB // of the assertions that were used
	used  atomic.Int64 // of them, since it was opened
	log   *slog.Logger

	mu      sync.Mutex
	clients map[string]Client
	reading chan struct{} // closed when the read under way has ended; nil: none is
	tried   time.Time
	read    time.Time // zero: never
}

// OpenRegistry makes the registry of a store. Which assertions were used is noted
// in the database, in tables that it makes where they are missing; the database
// is its owner's to close.
func OpenRegistry(ctx context.Context, s store.Store, db *database.DB, log *slog.Logger) (*Registry, error) {
	r := &Registry{store: s, db: db, log: log}
	err := db.Make(ctx, tables)
	if err == nil {
		err = r.purge(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return r, nil
}

// Authenticate returns the client if the secret is its own and it may do that.
//
// Errors: ErrDenied. Any other: the list could not be read.
func (r *Registry) Authenticate(ctx context.Context, id, secret string, to Capability) (Client, error) {
	c, err := r.Identify(ctx, id, secret)
	if err == nil && !c.May(to) {
		return Client{}, ErrDenied
	}
	return c, err
}

// Identify returns the client if the secret is its own, whatever it may do.
//
// Errors: ErrDenied. Any other: the list could not be read.
func (r *Registry) Identify(ctx context.Context, id, secret string) (Client, error) {
	c, known, err := r.find(ctx, id)
	if err != nil {
		return Client{}, err
	}
	if !known || !c.knows(secret) {
		return Client{}, ErrDenied
	}
	return c, nil
}

// find looks the id up. One request at a time reads the list anew; the others
// go by the old one meanwhile, or wait where that is too old.
func (r *Registry) find(ctx context.Context, id string) (Client, bool, error) {
	if r.due(id) {
		r.reread(ctx)
	} else {
		r.await(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.usable() {
		return Client{}, false, errors.New("client: the clients can't be read from the store")
	}
	c, known := r.clients[id]
	return c, known, nil
}

// due reports whether the list is to be read, and takes the turn if so.
func (r *Registry) due(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	age := time.Since(r.tried)
	if _, known := r.clients[id]; r.reading != nil || !r.tried.IsZero() && age < rereadAfter && (known || age < rereadPause) {
		return false
	}
	r.reading, r.tried = make(chan struct{}), time.Now()
	return true
}

// usable reports whether the list is young enough to go by. Called with r.mu held.
func (r *Registry) usable() bool { return !r.read.IsZero() && time.Since(r.read) <= forgetAfter }

// await waits for the read that is under way, where there is nothing to go by
// before.
func (r *Registry) await(ctx context.Context) {
	r.mu.Lock()
	reading, usable := r.reading, r.usable()
	r.mu.Unlock()
	if reading == nil || usable {
		return
	}
	select {
	case <-reading:
	case <-ctx.Done():
	}
}

// reread goes on when the request that happened to be its turn is given up.
func (r *Registry) reread(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	list, _, err := read(ctx, r.store)
	if err != nil {
		r.log.ErrorContext(ctx, "the clients could not be read", "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.reading)
	r.reading = nil
	if err != nil {
		return
	}
	r.read = time.Now()
	r.clients = make(map[string]Client, len(list))
	for _, c := range list {
		r.clients[c.ID] = c
	}
}
