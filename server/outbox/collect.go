package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store"
)

const (
	collectInterval = time.Second
	collectBatch    = 500 // entries of the log in one transaction

	// maxNoted bounds the messages of a transaction, unless one entry alone makes
	// more: it has 10 seconds, and those who log in wait for it on SQLite.
	maxNoted = 5000

	// maxWaiting bounds the messages that wait for one receiver. More are not
	// noted, and the log says so: a receiver that was down for so many logouts
	// has to start its sessions afresh.
	maxWaiting = 1_000_000
)

// subject is held by who collects, or claims: see [database.DB.Write].
const subject = "outbox"

// errMoved: another server has read the log on meanwhile.
var errMoved = errors.New("outbox: the place in the log has moved")

// collectAll reads the log to its end.
func (o *Outbox) collectAll(ctx context.Context) error {
	for {
		more, err := o.collect(ctx)
		if err != nil && !errors.Is(err, errMoved) {
			return err
		}
		if !more && err == nil {
			return nil
		}
	}
}

// collect notes what a piece of the log tells, and reports whether there may be
// more.
func (o *Outbox) collect(ctx context.Context) (more bool, err error) {
	place, err := readPlace(ctx, o.db.Conn)
	if err != nil {
		return false, err
	}
	news, err := o.config.Log.Follow(ctx, place, collectBatch)
	if errors.Is(err, store.ErrUnknownCursor) {
		// It was pruned that far, or the store has lost its latest entries in a
		// failover. What the log still holds is told, for the second time
		// perhaps.
		return o.collectSnapshot(ctx, place)
	}
	if err != nil || len(news.Entries) == 0 {
		return false, err
	}
	receivers, err := o.config.Receivers(ctx) // after the log: who registers before a session ends is told
	if err != nil {
		return false, err
	}
	entries := news.Entries[:min(len(news.Entries), batchFor(receivers))]
	last := entries[len(entries)-1]
	return last.Cursor != news.Head, o.note(ctx, receivers, place, last.Cursor, entries)
}

// batchFor is how many entries are noted in one transaction.
func batchFor(receivers []Receiver) int {
	return max(min(collectBatch, maxNoted/max(len(receivers), 1)), 1)
}

// collectSnapshot notes everything that the log holds. Its first pieces leave
// the place as it is: should the process die on the way, all is read again.
func (o *Outbox) collectSnapshot(ctx context.Context, place store.Cursor) (bool, error) {
	news, err := o.config.Log.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	receivers, err := o.config.Receivers(ctx)
	if err != nil {
		return false, err
	}
	batch := batchFor(receivers)
	for len(news.Entries) > batch {
		if err := o.note(ctx, receivers, place, place, news.Entries[:batch]); err != nil {
			return false, err
		}
		news.Entries = news.Entries[batch:]
	}
	return false, o.note(ctx, receivers, place, news.Head, news.Entries)
}

// note writes the messages for the receivers down that follow from entries, and
// that the log was read from one place to another.
//
// Error: errMoved where another server has read on from the first place.
func (o *Outbox) note(ctx context.Context, receivers []Receiver, from, to store.Cursor, entries []store.Entry) error {
	added := 0
	err := o.db.Write(ctx, []string{subject}, func(tx *database.Tx) error {
		added = 0
		place, err := readPlace(ctx, tx.Conn)
		if err != nil {
			return err
		}
		if place != from {
			return errMoved
		}
		for _, r := range receivers {
			n, err := o.noteFor(ctx, tx, r, entries)
			if err != nil {
				return err
			}
			added += n
		}
		_, err = tx.Exec(ctx, sqlSetPlace, int64(to.Pos), to.ID[:])
		return err
	})
	if err == nil && added > 0 {
		rouse(o.due)
		o.tellPollers()
	}
	return err
}

// noteFor notes the messages for one receiver, and returns how many.
func (o *Outbox) noteFor(ctx context.Context, tx *database.Tx, r Receiver, entries []store.Entry) (added int, err error) {
	var waiting int
	if err := tx.One(ctx, database.Into(&waiting), sqlWaiting, r.Client, r.Way, maxWaiting); err != nil {
		return 0, err
	}
	if waiting >= maxWaiting {
		o.log.ErrorContext(ctx, "a receiver does not take what it is told, and is not told more until it does", "client", r.Client, "way", string(r.Way), "entries", len(entries))
		return 0, nil
	}
	for _, e := range entries {
		if e.Kind == store.AllEnded && r.Way == Logout {
			continue // a logout token has a session or a user, and here is neither
		}
		m := newMessage(e, r)
		if _, err := tx.Exec(ctx, sqlAdd, m.ID, m.Client, m.Way, m.Session, database.Millis(tx.Now)); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}

// readPlace returns how far the log was read; zero: from its beginning.
func readPlace(ctx context.Context, c database.Conn) (place store.Cursor, err error) {
	var pos int64
	var id []byte
	err = c.One(ctx, database.Into(&pos, &id), sqlPlace)
	if errors.Is(err, database.ErrNoRow) {
		return store.Cursor{}, nil
	}
	if err == nil && len(id) != len(place.ID) {
		err = errors.New("outbox: the place in the log is damaged")
	}
	if err != nil {
		return store.Cursor{}, err
	}
	place.Pos = uint64(pos)
	copy(place.ID[:], id)
	return place, nil
}
