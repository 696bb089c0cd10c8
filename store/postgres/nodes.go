package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// Beat implements [store.Store]. It writes to the log's head, which a primary
// that was deposed can't do where replication is synchronous. That locks the
// head, so that the tail read next is all there is, and whoever appends later
// sees the node.
func (s *Store) Beat(ctx context.Context, beat store.Beat) (store.News, error) {
	if beat.After.Pos > math.MaxInt64 {
		return store.News{}, store.ErrUnknownCursor
	}
	var news store.News
	recorded := 1
	err := s.direct(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql(`UPDATE cf.head SET beat = beat + 1, clock = `+writeNow+` RETURNING pos, id, clock`), s.clock.Floor()).
			QueryRow(s.scanNews(&news))
		if beat.Node != (store.NodeID{}) {
			s.record(b, beat, &recorded)
		}
		s.queueTail(b, &news, beat.After, beat.Limit)
	})
	switch {
	case err != nil:
		return store.News{}, err
	case recorded == 0:
		return store.News{}, fmt.Errorf("%w: %d nodes follow this store", store.ErrFull, store.MaxHolders)
	}
	return news, nil
}

// record puts a node on record, if its cursor is known and there is room. What
// it was promised before stays promised.
func (s *Store) record(b *pgx.Batch, beat store.Beat, recorded *int) {
	changed(b.Queue(s.sql(`INSERT INTO cf.node (node, acked, until)
		SELECT $3, $4, clock + $5 FROM cf.head
		WHERE `+knownCursor+` AND (EXISTS (SELECT FROM cf.node WHERE node = $3)
			OR (SELECT count(*) FROM cf.node WHERE until > clock) < $6)
		ON CONFLICT (node) DO UPDATE SET acked = EXCLUDED.acked, until = greatest(node.until, EXCLUDED.until)`),
		int64(beat.After.Pos), beat.After.ID,
		[16]byte(beat.Node), int64(min(beat.Acked, beat.After.Pos)), store.Longest(beat.Bound).Milliseconds()+1, store.MaxHolders),
		recorded)
}

// Holders implements [store.Store].
func (s *Store) Holders(ctx context.Context) (holders []store.Holder, now time.Time, err error) {
	var news store.News
	err = s.read(ctx, s.timeout, func(b *pgx.Batch) {
		holders = nil
		s.queueHead(b, &news)
		each(b.Queue(s.sql(`SELECT node, acked, until FROM cf.node WHERE until > (SELECT `+readNow+` FROM cf.head)`), s.clock.Floor()),
			func(rows pgx.Rows) error {
				var h store.Holder
				var acked, until int64
				err := rows.Scan((*[16]byte)(&h.Node), &acked, &until)
				h.Acked, h.Until = uint64(acked), fromMillis(until)
				holders = append(holders, h)
				return err
			})
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return holders, news.Now, nil
}
