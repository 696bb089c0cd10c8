package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// beatNow is what Nudge notifies. Otherwise a notification is a position.
const beatNow = "beat"

// channel is where this store notifies.
func (s schema) channel() string { return string(s) }

// Watch implements [store.Store]. It listens on a connection of its own. Through
// PgBouncer's transaction pooling nothing is heard; nothing says so.
func (s *Store) Watch(ctx context.Context, hint func(store.Hint)) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.closed.Done()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()

	err := s.watch(watching, hint)
	switch {
	case ctx.Err() != nil:
		return nil
	case s.closing.Err() != nil:
		return errClosed
	}
	return fmt.Errorf("postgres: listen: %w", err)
}

func (s *Store) watch(ctx context.Context, hint func(store.Hint)) (err error) {
	c, err := pgx.ConnectConfig(ctx, s.listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeConn(ctx, c)) }()
	if _, err := c.Exec(ctx, `LISTEN `+pgx.Identifier{s.schema.channel()}.Sanitize()); err != nil {
		return err
	}
	hint(store.LogGrew)
	for {
		n, err := c.WaitForNotification(ctx)
		switch {
		case err != nil:
			return err
		case n.Payload == beatNow:
			hint(store.BeatNow)
		default:
			hint(store.LogGrew)
		}
	}
}

// Nudge implements [store.Store].
func (s *Store) Nudge(ctx context.Context) error {
	return s.direct(ctx, func(b *pgx.Batch) { b.Queue(`SELECT pg_notify($1, $2)`, s.schema.channel(), beatNow) })
}
