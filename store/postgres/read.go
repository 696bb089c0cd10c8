package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/counterfoil/counterfoil/store"
)

// read has the statements of a batch read one state of the database, sent and
// answered at once. It tries again, once, where a connection of the pool turns
// out to be dead: after a restart of the server all of them are.
func (s *Store) read(ctx context.Context, timeout time.Duration, fill func(*pgx.Batch)) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.closed.Done()
	return s.explain(ctx, s.readTwice(ctx, timeout, fill))
}

func (s *Store) readTwice(ctx context.Context, timeout time.Duration, fill func(*pgx.Batch)) error {
	err := s.readOnce(ctx, timeout, fill)
	if err != nil && broken(err) && ctx.Err() == nil && s.closing.Err() == nil {
		s.reads.Reset()
		err = s.readOnce(ctx, timeout, fill)
	}
	return err
}

func (s *Store) readOnce(ctx context.Context, timeout time.Duration, fill func(*pgx.Batch)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := s.reads.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	b := &pgx.Batch{}
	fill(b)
	if b.Len() == 1 {
		q := b.QueuedQueries[0]
		return q.Fn(only{ctx, c, q})
	}
	all := &pgx.Batch{}
	all.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	all.Queue(`COMMIT`)
	return c.SendBatch(ctx, all).Close()
}

// only is the result of a batch of one statement, which costs half as much when
// it is sent as such.
type only struct {
	ctx  context.Context
	conn *pgxpool.Conn
	*pgx.QueuedQuery
}

func (o only) Exec() (pgconn.CommandTag, error) { return o.conn.Exec(o.ctx, o.SQL, o.Arguments...) }
func (o only) Query() (pgx.Rows, error)         { return o.conn.Query(o.ctx, o.SQL, o.Arguments...) }
func (o only) QueryRow() pgx.Row                { return o.conn.QueryRow(o.ctx, o.SQL, o.Arguments...) }
func (o only) Close() error                     { return nil } // nothing is left to read
func (o only) Tx() pgx.Tx                       { return nil } // it began none

// begin counts an operation as under way, which Close waits for. The caller
// calls s.closed.Done.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closing.Err() != nil {
		return errClosed
	}
	s.closed.Add(1)
	return nil
}

// broken reports whether the connection has failed, or the server is going down.
func broken(err error) bool {
	switch {
	case errors.Is(err, errClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), ours(err):
		return false
	case hasCode(err, adminShutdown, crashShutdown, cannotConnectNow, readOnlyTransaction):
		return true
	}
	var connect *pgconn.ConnectError
	var refusal *pgconn.PgError
	return !errors.As(err, &refusal) && !errors.As(err, &connect)
}

const (
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
	cannotConnectNow     = "57P03"
	readOnlyTransaction  = "25006"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	uniqueViolation      = "23505"
)

// ours reports whether the error is an answer of the contract.
func ours(err error) bool {
	for _, answer := range []error{store.ErrNotFound, store.ErrConflict, store.ErrSuperseded, store.ErrReused,
		store.ErrUnknownCursor, store.ErrIndeterminate, store.ErrFull, store.ErrTooLarge} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// explain is an error of the database as the caller gets it.
func (s *Store) explain(ctx context.Context, err error) error {
	switch {
	case err == nil || err == errClosed || ours(err):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("postgres: no answer within %v (Config.Timeout): is the server there, and does it have connections left? %w", s.timeout, err)
	}
	return fmt.Errorf("postgres: %w", err)
}

// each calls do with every row of a query.
func each(q *pgx.QueuedQuery, do func(pgx.Rows) error) {
	q.Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := do(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
