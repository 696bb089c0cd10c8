package redis

import (
	"context"
	"fmt"

	"github.com/valkey-io/valkey-go"

	"github.com/counterfoil/counterfoil/store"
)

// Nudge implements [store.Store].
func (s *Store) Nudge(ctx context.Context) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.Do(ctx, s.client.B().Publish().Channel(s.prefix+"hints").Message("beat").Build()).Error(); err != nil {
		return fmt.Errorf("redis: nudge: %w", err)
	}
	return nil
}

// Watch implements [store.Store]. It takes a connection of its own, and does
// not make another one when that breaks: the caller does, by calling it again.
func (s *Store) Watch(ctx context.Context, hint func(store.Hint)) error {
	if err := ctx.Err(); err != nil {
		return nil
	}
	if s.closed.Load() {
		return errClosed
	}
	c, release := s.client.Dedicate()
	defer release()
	defer c.Close() // what may still come on it is for nobody

	// The connection waits for nobody: each kind of hint has room for one.
	grew, beat := make(chan struct{}, 1), make(chan struct{}, 1)
	broken := c.SetPubSubHooks(valkey.PubSubHooks{OnMessage: func(m valkey.PubSubMessage) {
		to := grew
		if m.Message == "beat" {
			to = beat
		}
		select {
		case to <- struct{}{}:
		default: // one is waiting already
		}
	}})
	begin, cancel := context.WithTimeout(ctx, s.timeout)
	err := c.Do(begin, c.B().Subscribe().Channel(s.prefix+"hints").Build()).Error()
	cancel()
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("redis: watch: %w", err)
	}
	hint(store.LogGrew)
	for {
		select {
		case <-grew:
			hint(store.LogGrew)
		case <-beat:
			hint(store.BeatNow)
		case <-ctx.Done():
			return nil
		case <-s.done:
			return errClosed
		case err := <-broken:
			return fmt.Errorf("redis: watch: the connection broke: %w", err)
		}
	}
}
