package redis

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/counterfoil/counterfoil/store"
)

var (
	followScript   = newScript("follow", follows)
	snapshotScript = newScript("snapshot", follows)
)

// Positions are numbers of Lua, which are exact up to here.
const maxPos = 1 << 53

// Follow implements [store.Store]. It asks the primary.
func (s *Store) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	limit = min(max(limit, 0), store.MaxBatch)
	r, err := s.run(ctx, followScript, position(after.Pos), hex.EncodeToString(after.ID[:]), strconv.Itoa(limit))
	if err != nil {
		return store.News{}, err
	}
	return r.news(), *r.err
}

// position writes a position. One that there can't be is written as one that
// there won't be.
func position(pos uint64) string { return strconv.FormatUint(min(pos, maxPos), 10) }

// news reads the time, the head and the entries.
func (r reply) news() store.News {
	news := store.News{Now: fromMillis(r.int(1)), Head: r.cursor(2)}
	for _, e := range r.lists(4) {
		news.Entries = append(news.Entries, e.entry())
	}
	return news
}

// entry reads an entry of the stream: its id, and the list of its fields and
// their values.
func (r reply) entry() (e store.Entry) {
	id, fields := r.text(0), r.list(1)
	e.Cursor = store.Cursor{}
	if len(id) < 3 || id[:2] != "1-" {
		r.fail(0, strconv.ErrSyntax)
		return e
	}
	pos, err := strconv.ParseUint(id[2:], 10, 64)
	if err != nil {
		r.fail(0, err)
	}
	e.Pos = pos
	e.ID = fields.entryID(1)
	e.Kind = store.Kind(fields.int(3))
	e.Session = fields.sid(5)
	e.Expires = fromMillis(fields.int(7))
	return e
}

// Snapshot implements [store.Store]. It reads the log in parts, up to the head
// that it has found at first.
func (s *Store) Snapshot(ctx context.Context) (store.News, error) {
	var news store.News
	for pos, first := uint64(0), true; first || pos < news.Head.Pos; first = false {
		r, err := s.run(ctx, snapshotScript, position(pos), strconv.Itoa(snapshotBatch))
		if err != nil {
			return store.News{}, err
		}
		part := r.news()
		if *r.err != nil {
			return store.News{}, *r.err
		}
		if first {
			news.Head, news.Now = part.Head, part.Now
		}
		pos = news.Head.Pos // if there is nothing: what stood there was pruned meanwhile
		for _, e := range part.Entries {
			if pos = e.Pos; pos <= news.Head.Pos && e.Expires.After(news.Now) {
				news.Entries = append(news.Entries, e)
			}
		}
	}
	return news, nil
}

// snapshotBatch is how many entries one script reads.
const snapshotBatch = 1000
