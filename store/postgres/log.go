package postgres

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// snapshotTime is how long a snapshot may take: it may be of millions of entries.
const snapshotTime = 2 * time.Minute

const entryColumns = `pos, id, kind, sid, expires`

// Follow implements [store.Store].
func (s *Store) Follow(ctx context.Context, after store.Cursor, limit int) (news store.News, err error) {
	if after.Pos > math.MaxInt64 {
		return store.News{}, store.ErrUnknownCursor
	}
	err = s.read(ctx, s.timeout, func(b *pgx.Batch) {
		news = store.News{}
		s.queueHead(b, &news)
		s.queueTail(b, &news, after, limit)
	})
	if err != nil {
		return store.News{}, err
	}
	return news, nil
}

// Snapshot implements [store.Store].
func (s *Store) Snapshot(ctx context.Context) (news store.News, err error) {
	err = s.read(ctx, snapshotTime, func(b *pgx.Batch) {
		news = store.News{}
		s.queueHead(b, &news)
		s.queueEntries(b, &news, `SELECT `+entryColumns+` FROM cf.ended WHERE expires > (SELECT `+readNow+` FROM cf.head) ORDER BY pos`, s.clock.Floor())
	})
	if err != nil {
		return store.News{}, err
	}
	return news, nil
}

// queueHead reads the head and the store's time.
func (s *Store) queueHead(b *pgx.Batch, news *store.News) {
	b.Queue(s.sql(`SELECT pos, id, `+readNow+` FROM cf.head`), s.clock.Floor()).QueryRow(s.scanNews(news))
}

// scanNews reads a row of a head and the store's time.
func (s *Store) scanNews(news *store.News) func(pgx.Row) error {
	return func(r pgx.Row) error {
		var now int64
		err := scanHead(r, &news.Head, &now)
		news.Now = fromMillis(now)
		s.clock.saw(news.Now)
		return err
	}
}

// knownCursor is true where the cursor ($1, $2) is a place in this log.
const knownCursor = `(SELECT base_pos = $1 AND base_id = $2 OR base_pos < $1
	AND EXISTS (SELECT FROM cf.ended WHERE pos = $1 AND id = $2) FROM cf.head)`

// queueTail reads the log after the cursor, if it is one of this log. The head
// was read in the same transaction.
func (s *Store) queueTail(b *pgx.Batch, news *store.News, after store.Cursor, limit int) {
	b.Queue(s.sql(`SELECT `+knownCursor), int64(after.Pos), after.ID).QueryRow(func(r pgx.Row) error {
		var known bool
		err := r.Scan(&known)
		if err == nil && !known {
			return store.ErrUnknownCursor
		}
		return err
	})
	limit = min(max(limit, 0), store.MaxBatch)
	s.queueEntries(b, news, `SELECT `+entryColumns+` FROM cf.ended WHERE pos > $1 ORDER BY pos LIMIT $2`, int64(after.Pos), limit)
}

func (s *Store) queueEntries(b *pgx.Batch, news *store.News, sql string, args ...any) {
	each(b.Queue(s.sql(sql), args...), func(rows pgx.Rows) error {
		var e store.Entry
		var pos, expires int64
		var kind int16
		err := rows.Scan(&pos, &e.ID, &kind, (*[16]byte)(&e.Session), &expires)
		e.Pos, e.Kind, e.Expires = uint64(pos), store.Kind(kind), fromMillis(expires)
		news.Entries = append(news.Entries, e)
		return err
	})
}
