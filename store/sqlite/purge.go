package sqlite

import (
	"context"

	"github.com/counterfoil/counterfoil/store"
)

// Purge implements [store.Store]. Other writes take turns with its batches,
// however large limit is. The log is pruned from its front: an entry that has
// not expired keeps those behind it, so that positions stay dense.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	sessions, err := s.purge(ctx, limit, (*tx).purgeSessions)
	if err != nil {
		return sessions, err
	}
	entries, err := s.purge(ctx, limit, (*tx).purgeLog)
	if err != nil {
		return sessions + entries, err
	}
	_, err = write(ctx, s, func(t *tx) (struct{}, error) { return struct{}{}, t.removeRunOut() })
	return sessions + entries, err
}

// purge calls batch until there is nothing left or the limit is reached.
func (s *Store) purge(ctx context.Context, limit int, batch func(t *tx, limit int) (int, error)) (int, error) {
	for total := 0; ; {
		want := min(limit-total, purgeBatch)
		n, err := write(ctx, s, func(t *tx) (int, error) { return batch(t, want) })
		total += n
		if err != nil || n < want || total >= limit {
			return total, err
		}
	}
}

// purgeBatch is how many rows go before others may write.
const purgeBatch = 32

func (t *tx) purgeSessions(limit int) (int, error) {
	var ids []store.SID
	err := t.each(func(r row) { ids = append(ids, sidAt(r, 0)) },
		`SELECT sid FROM session INDEXED BY session_expiry WHERE (epoch, expires) <= (?, ?) LIMIT ?`, t.epoch, t.now, limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := t.remove(id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (t *tx) purgeLog(limit int) (int, error) {
	base, live := t.base, false
	if err := t.each(func(r row) {
		live = live || timeAt(r, 2).After(t.now)
		if !live {
			base = cursorAt(r, 0)
		}
	}, `SELECT pos, id, expires FROM ended ORDER BY pos LIMIT ?`, limit); err != nil {
		return 0, err
	}
	if base == t.base {
		return 0, nil
	}
	n, err := t.exec(`DELETE FROM ended WHERE pos <= ?`, int64(base.Pos))
	if err != nil {
		return 0, err
	}
	if _, err := t.exec(`UPDATE meta SET base_pos = ?, base_id = ?`, int64(base.Pos), base.ID[:]); err != nil {
		return 0, err
	}
	t.base = base
	return n, nil
}

// remove deletes a session's rows and nothing else.
func (t *tx) remove(id store.SID) error {
	if _, err := t.exec(`DELETE FROM session WHERE sid = ?`, id); err != nil {
		return err
	}
	return t.removeValues(id)
}

func (t *tx) removeValues(id store.SID) error {
	_, err := t.exec(`DELETE FROM session_values WHERE sid = ?`, id)
	return err
}
