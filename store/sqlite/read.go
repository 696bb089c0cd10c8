package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
)

// A pool holds the connections that read. It gives the one that was given back
// last: each has a cache of its own, and few that are warm do better than many.
type pool struct {
	idle   chan struct{} // holds one for each connection of the stack
	closed chan struct{}

	mu    sync.Mutex
	stack []*conn
}

func newPool(size int) *pool {
	return &pool{idle: make(chan struct{}, size), closed: make(chan struct{})}
}

func (p *pool) put(c *conn) {
	p.mu.Lock()
	p.stack = append(p.stack, c)
	p.mu.Unlock()
	p.idle <- struct{}{}
}

// pop is called by whoever has received from idle.
func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.stack) - 1
	c := p.stack[last]
	p.stack = p.stack[:last]
	return c
}

func (p *pool) get(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-p.closed:
		return nil, errClosed
	default:
	}
	select {
	case <-p.idle:
		return p.pop(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, errClosed
	}
}

// close waits for the reads under way.
func (p *pool) close() error {
	close(p.closed)
	var errs []error
	for range cap(p.idle) {
		<-p.idle
		errs = append(errs, p.pop().close())
	}
	return errors.Join(errs...)
}

// read calls do with a connection and the store's time. The time is read
// before the database is: what is issued on the strength of a live session
// counts from a moment when it was live, even if this process is stopped
// between the two.
func (s *Store) read(ctx context.Context, do func(c *conn, now time.Time) error) error {
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	c.SetInterrupt(ctx)
	defer c.SetInterrupt(context.Background())

	err = do(c, s.clock.Now())
	switch {
	case err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrUnknownCursor):
		return err
	case errors.Is(err, sqlite3.INTERRUPT) && ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("sqlite: %w", explain(err))
}

// snapshot is read where do needs to see one state in several statements.
func (s *Store) snapshot(ctx context.Context, do func(c *conn, now time.Time) error) error {
	return s.read(ctx, func(c *conn, now time.Time) error {
		if _, err := c.exec(`BEGIN`); err != nil {
			return err
		}
		err := do(c, now)
		// Not even an ended context may leave the transaction open.
		c.SetInterrupt(context.Background())
		if !c.GetAutocommit() {
			_, rollback := c.exec(`ROLLBACK`)
			err = joinRollback(err, rollback)
		}
		return err
	})
}
