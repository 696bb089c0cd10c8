package memory

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A journal is the log of ended sessions. Its entries stand in pages without
// pointers: to grow it copies nothing, and the garbage collector passes it over.
type journal struct {
	base  store.Cursor // of the last entry that was pruned; zero: none was
	pages [][]logged   // all full but the last
	first int          // index of the first kept entry in pages[0]
	count int          // kept entries
}

type logged struct {
	id      [16]byte
	session store.SID
	expires int64 // Unix milliseconds
	kind    store.Kind
}

const journalPage = 1024

// at returns the i-th kept entry.
func (j *journal) at(i int) *logged {
	i += j.first
	return &j.pages[i/journalPage][i%journalPage]
}

// append adds an entry. It expires no earlier than asked: fractions of a
// millisecond are rounded up.
func (j *journal) append(kind store.Kind, session store.SID, expires time.Time) {
	l := logged{session: session, expires: expires.Add(time.Millisecond - 1).UnixMilli(), kind: kind}
	rand.Read(l.id[:])
	last := len(j.pages) - 1
	if last < 0 || len(j.pages[last]) == journalPage {
		j.pages = append(j.pages, make([]logged, 0, journalPage))
		last++
	}
	j.pages[last] = append(j.pages[last], l)
	j.count++
}

// cursor returns the place after the first n kept entries.
func (j *journal) cursor(n int) store.Cursor {
	if n == 0 {
		return j.base
	}
	return store.Cursor{Pos: j.base.Pos + uint64(n), ID: j.at(n - 1).id}
}

func (j *journal) head() store.Cursor { return j.cursor(j.count) }

// after returns how many kept entries stand before and at the cursor.
func (j *journal) after(c store.Cursor) (int, error) {
	if c.Pos < j.base.Pos || c.Pos-j.base.Pos > uint64(j.count) {
		return 0, store.ErrUnknownCursor
	}
	n := int(c.Pos - j.base.Pos)
	if j.cursor(n) != c {
		return 0, store.ErrUnknownCursor
	}
	return n, nil
}

func (j *journal) entry(i int) store.Entry {
	l := j.at(i)
	return store.Entry{
		Cursor:  store.Cursor{Pos: j.base.Pos + uint64(i) + 1, ID: l.id},
		Kind:    l.kind,
		Session: l.session,
		Expires: time.UnixMilli(l.expires).UTC(),
	}
}

// prune removes expired entries from the front, at most limit. One that is not
// expired keeps those behind it: the positions stay dense.
func (j *journal) prune(now time.Time, limit int) int {
	removed := 0
	for removed < limit && j.count > 0 && j.at(0).expires <= now.UnixMilli() {
		j.base = j.cursor(1)
		j.count--
		j.first++
		if j.first == journalPage {
			j.pages = slices.Delete(j.pages, 0, 1)
			j.first = 0
		}
		removed++
	}
	return removed
}

// Follow implements [store.Store].
func (s *Store) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	if err := s.beginRead(ctx); err != nil {
		return store.News{}, err
	}
	defer s.mu.RUnlock()
	return s.follow(after, limit)
}

func (s *Store) follow(after store.Cursor, limit int) (store.News, error) {
	n, err := s.log.after(after)
	if err != nil {
		return store.News{}, err
	}
	news := store.News{Head: s.log.head(), Now: s.clock.Now()}
	for i := n; i < min(s.log.count, n+min(limit, store.MaxBatch)); i++ {
		news.Entries = append(news.Entries, s.log.entry(i))
	}
	return news, nil
}

// Snapshot implements [store.Store]. It copies the log in strides, up to the
// head that it has found at first.
func (s *Store) Snapshot(ctx context.Context) (store.News, error) {
	if err := s.beginRead(ctx); err != nil {
		return store.News{}, err
	}
	news := store.News{Head: s.log.head(), Now: s.clock.Now()}
	s.mu.RUnlock()
	for pos := uint64(0); pos < news.Head.Pos; {
		if err := s.beginRead(ctx); err != nil {
			return store.News{}, err
		}
		pos = max(pos, s.log.base.Pos) // what is pruned meanwhile has expired
		for range stride {
			if pos >= news.Head.Pos {
				break
			}
			if e := s.log.entry(int(pos - s.log.base.Pos)); e.Expires.After(news.Now) {
				news.Entries = append(news.Entries, e)
			}
			pos++
		}
		s.mu.RUnlock()
	}
	return news, nil
}
