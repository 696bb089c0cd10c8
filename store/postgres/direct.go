package postgres

import (
	"context"

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
	c, err := s.transaction(ctx, true, func(*pgx.Batch) {})
	if err != nil {
		return err
	}
	defer c.Release()
	b := &pgx.Batch{}
	fill(b)
	return s.commit(ctx, c.Conn(), b)
}

// changed tells how many rows a statement has changed.
func changed(q *pgx.QueuedQuery, n *int) {
	q.Exec(func(tag pgconn.CommandTag) error {
		*n = int(tag.RowsAffected())
		return nil
	})
}
