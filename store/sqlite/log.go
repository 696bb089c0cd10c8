package sqlite

import (
	"context"
	"math"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Follow implements [store.Store]. It refuses to answer where the file is not
// where it was opened: see Beat.
func (s *Store) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	limit = min(max(limit, 0), store.MaxBatch)
	return s.news(ctx, func(c *conn, st state, news *store.News) error {
		if err := c.checkPlace(); err != nil {
			return err
		}
		if known, err := c.knows(after, st.base); err != nil {
			return err
		} else if !known {
			return store.ErrUnknownCursor
		}
		return c.entries(news, `SELECT pos, id, kind, sid, expires FROM ended WHERE pos > ? ORDER BY pos LIMIT ?`,
			int64(after.Pos), limit)
	})
}

// Snapshot implements [store.Store].
func (s *Store) Snapshot(ctx context.Context) (store.News, error) {
	return s.news(ctx, func(c *conn, _ state, news *store.News) error {
		return c.entries(news, `SELECT pos, id, kind, sid, expires FROM ended WHERE expires > ? ORDER BY pos`, news.Now)
	})
}

// news has the entries filled in as of the transaction that read the head.
func (s *Store) news(ctx context.Context, entries func(*conn, state, *store.News) error) (store.News, error) {
	var news store.News
	err := s.snapshot(ctx, func(c *conn, now time.Time) error {
		st, err := c.state()
		if err != nil {
			return err
		}
		// Another process may be ahead, and judge our nodes by its time.
		s.clock.Advance(st.clock)
		news = store.News{Head: st.head, Now: later(now, st.clock)}
		return entries(c, st, &news)
	})
	if err != nil {
		return store.News{}, err
	}
	return news, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// knows reports whether the cursor is a place in this log.
func (c *conn) knows(after, base store.Cursor) (bool, error) {
	if after.Pos <= base.Pos || after.Pos > math.MaxInt64 {
		return after == base, nil
	}
	var id [16]byte
	found, err := c.one(func(r row) { fill(id[:], r, 0) }, `SELECT id FROM ended WHERE pos = ?`, int64(after.Pos))
	return found && id == after.ID, err
}

func (c *conn) entries(news *store.News, sql string, args ...any) error {
	return c.each(func(r row) {
		news.Entries = append(news.Entries, store.Entry{
			Cursor:  cursorAt(r, 0),
			Kind:    store.Kind(r.ColumnInt(2)),
			Session: sidAt(r, 3),
			Expires: timeAt(r, 4),
		})
	}, sql, args...)
}

// cursorAt reads a position and the id in the column after it.
func cursorAt(r row, column int) store.Cursor {
	c := store.Cursor{Pos: uint64(r.ColumnInt64(column))}
	fill(c.ID[:], r, column+1)
	return c
}
