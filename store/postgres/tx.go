package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/counterfoil/counterfoil/store"
)

// transaction begins a transaction that writes, with the statements that fill
// adds, none of which may commit. It tries again, once, where a connection of
// the pool turns out to be dead: after a restart of the server all of them are.
func (s *Store) transaction(ctx context.Context, planned bool, fill func(*pgx.Batch)) (*pgxpool.Conn, error) {
	c, err := s.tryTransaction(ctx, planned, fill)
	if err != nil && broken(err) {
		s.writes.Reset()
		c, err = s.tryTransaction(ctx, planned, fill)
	}
	return c, err
}

func (s *Store) tryTransaction(ctx context.Context, planned bool, fill func(*pgx.Batch)) (*pgxpool.Conn, error) {
	c, err := s.writes.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	takeWarning(c.Conn()) // what concerns others
	b := &pgx.Batch{}
	s.queueBegin(b, planned)
	fill(b)
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		undo(ctx, c.Conn())
		c.Release()
		return nil, err
	}
	return c, nil
}

// writeSettings are what holds in every transaction that writes.
//
//   - While it waits for locks that another node holds it gives up after a while.
//   - If this process is stopped while it holds locks, others don't wait for
//     long.
//   - The server plans its statements once, perhaps while the tables are empty:
//     see keptPlans.
func writeSettings(timeout time.Duration) map[string]string {
	setting := func(d time.Duration) string { return fmt.Sprintf("%dms", max(d.Milliseconds(), 1)) }
	settings := maps.Clone(keptPlans)
	settings["lock_timeout"] = setting(timeout / 5)
	settings["idle_in_transaction_session_timeout"] = setting(timeout / 2)
	return settings
}

// durable has the transaction acknowledged when it is on the disk, and, where the
// server has synchronous standbys, on theirs. It is for the transaction only, so
// that what the operator sets meanwhile holds where it asks for more.
const durable = `set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
	THEN 'on' ELSE current_setting('synchronous_commit') END, true)`

// queueBegin begins a transaction. Behind PgBouncer the server's session is not
// ours, and the settings are made for the transaction only. Elsewhere the session
// has them already, and queueLocks makes the transaction durable. Planned
// statements are planned each time, for the tables as they are.
func (s *Store) queueBegin(b *pgx.Batch, planned bool) {
	b.Queue(`BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE`)
	if s.settled && !planned {
		return
	}
	settings := writeSettings(s.timeout)
	if planned {
		settings["plan_cache_mode"], settings["enable_seqscan"] = "force_custom_plan", "on"
	}
	b.Queue(`SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true),
		set_config('plan_cache_mode', $3, true), set_config('enable_seqscan', $4, true), set_config('jit', 'off', true), `+durable,
		settings["lock_timeout"], settings["idle_in_transaction_session_timeout"], settings["plan_cache_mode"], settings["enable_seqscan"])
}

// commit sends the last statements of a transaction, and the commit.
func (s *Store) commit(ctx context.Context, c *pgx.Conn, b *pgx.Batch) error {
	committed := false
	b.Queue(`COMMIT`).Exec(func(tag pgconn.CommandTag) error {
		committed = tag.String() == "COMMIT"
		return nil
	})
	err := c.SendBatch(ctx, b).Close()
	warning := takeWarning(c)
	switch {
	case err != nil && (answered(err) || ours(err) || pgconn.SafeToRetry(err)):
		undo(ctx, c)
		return err
	case err != nil: // the commit was sent with the rest
		s.writes.Reset() // the other connections may be as bad
		return fmt.Errorf("%w: %w", store.ErrIndeterminate, err)
	case !committed:
		return errors.New("the server rolled the transaction back")
	case warning != nil:
		return fmt.Errorf("%w: it may be missing after a failover: %w", store.ErrIndeterminate, warning)
	}
	return nil
}

// undo ends a transaction of which nothing is to stay. Where that fails the
// connection is not used again, and the server undoes it.
func undo(ctx context.Context, c *pgx.Conn) {
	if !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		c.Exec(ctx, `ROLLBACK`)
	}
}
