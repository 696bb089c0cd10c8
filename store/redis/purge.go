package redis

import (
	"context"
	"strconv"
)

var (
	purgeSessionsScript = newScript("purge_sessions", repeats)
	purgeLogScript      = newScript("purge_log", repeats)
)

// purgeBatch is how much one script removes: others are served between two.
const purgeBatch = 100

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	sessions, err := s.purge(ctx, purgeSessionsScript, limit)
	if err != nil {
		return sessions, err
	}
	entries, err := s.purge(ctx, purgeLogScript, limit)
	return sessions + entries, err
}

// purge runs a script until there is nothing left or the limit is reached.
func (s *Store) purge(ctx context.Context, sc *script, limit int) (int, error) {
	for total := 0; ; {
		want := max(min(limit-total, purgeBatch), 0)
		r, err := s.run(ctx, sc, strconv.Itoa(want))
		if err != nil {
			return total, err
		}
		n := int(r.int(2))
		total += n
		if *r.err != nil || n < want || total >= limit {
			return total, *r.err
		}
	}
}
