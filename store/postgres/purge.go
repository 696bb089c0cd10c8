package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// purgeBatch is how many rows go in one transaction.
const purgeBatch = 500

// Purge implements [store.Store]. It passes over sessions that others have
// locked, also other nodes that purge. The log is pruned from its front: an
// entry that has not expired keeps those behind it, so that positions stay
// dense. It also removes nodes whose time is up.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	sessions, err := s.purge(ctx, limit, s.purgeSessions)
	if err != nil {
		return sessions, err
	}
	entries, err := s.purge(ctx, limit, s.purgeLog)
	if err != nil {
		return sessions + entries, err
	}
	return sessions + entries, s.direct(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql(`DELETE FROM cf.node WHERE until <= (SELECT `+writeNow+` FROM cf.head)`), s.clock.Floor())
	})
}

// purge calls batch until there is nothing left or the limit is reached.
func (s *Store) purge(ctx context.Context, limit int, batch func(ctx context.Context, limit int) (int, error)) (total int, err error) {
	for total < limit {
		want := min(limit-total, purgeBatch)
		n, err := batch(ctx, want)
		total += n
		if err != nil || n < want {
			return total, err
		}
	}
	return total, nil
}

func (s *Store) purgeSessions(ctx context.Context, limit int) (n int, err error) {
	err = s.direct(ctx, func(b *pgx.Batch) {
		changed(b.Queue(s.sql(`
			WITH gone AS MATERIALIZED (
				SELECT sid FROM cf.session
				WHERE (epoch, expires) <= ((SELECT epoch FROM cf.epoch), (SELECT `+writeNow+` FROM cf.head))
				ORDER BY epoch, expires LIMIT $2 FOR UPDATE SKIP LOCKED
			), their_values AS (
				DELETE FROM cf.session_values WHERE sid IN (SELECT sid FROM gone)
			)
			DELETE FROM cf.session WHERE sid IN (SELECT sid FROM gone)`), s.clock.Floor(), limit), &n)
	})
	return n, err
}

// purgeLog locks the head first: no two nodes prune at once.
func (s *Store) purgeLog(ctx context.Context, limit int) (n int, err error) {
	err = s.direct(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql(`SELECT FROM cf.head FOR UPDATE`))
		b.Queue(s.sql(`
			WITH front AS MATERIALIZED (
				SELECT pos, id, expires > (SELECT `+writeNow+` FROM cf.head) AS live FROM cf.ended ORDER BY pos LIMIT $2
			), last AS MATERIALIZED (
				SELECT pos, id FROM front WHERE pos < (SELECT coalesce(min(pos), (SELECT max(pos) + 1 FROM front)) FROM front WHERE live)
				ORDER BY pos DESC LIMIT 1
			)
			UPDATE cf.head SET base_pos = last.pos, base_id = last.id FROM last`), s.clock.Floor(), limit)
		changed(b.Queue(s.sql(`DELETE FROM cf.ended WHERE pos <= (SELECT base_pos FROM cf.head)`)), &n)
	})
	return n, err
}
