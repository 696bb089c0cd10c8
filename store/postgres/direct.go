package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// direct runs the statements of a batch in a transaction of their own, sent and
// answered at once. An error of the contract that reading an answer returns
// does not undo the transaction: its statements must not have written then.
func (s *Store) direct(ctx context.Context, fill func(*pgx.Batch)) error {
	return s.explain(ctx, s.directOnce(ctx, fill))
}

func (s *Store) directOnce(ctx context.Context, fill func(*pgx.Batch)) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.closed.Done()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c, err := s.writes.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	takeWarning(c.Conn()) // what concerns others
	b := &pgx.Batch{}
	s.beginTx(b)
	fill(b)
	err = s.commit(ctx, c.Conn(), b)
	if err != nil && broken(errors.Unwrap(err)) {
		s.writes.Reset()
	}
	return err
}

// changed tells how many rows a statement has changed.
func changed(q *pgx.QueuedQuery, n *int) {
	q.Exec(func(tag pgconn.CommandTag) error {
		*n = int(tag.RowsAffected())
		return nil
	})
}
