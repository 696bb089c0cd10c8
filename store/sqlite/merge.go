package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/internal/merge"
)

// Merge implements [store.Store]. It reads the log from end to end, since no
// index tells where a session stands in it: what is lost is rare, and an index
// would be written at every logout.
func (s *Store) Merge(ctx context.Context, entries []store.Entry) error {
	if len(entries) > store.MaxBatch {
		return fmt.Errorf("%w: at most %d entries at once", store.ErrTooLarge, store.MaxBatch)
	}
	entries = slices.Clone(entries)
	_, err := write(ctx, s, func(t *tx) (struct{}, error) { return struct{}{}, t.merge(entries) })
	return err
}

func (t *tx) merge(entries []store.Entry) error {
	missing, err := t.missing(entries)
	if err != nil {
		return err
	}
	for _, e := range missing {
		if e.Kind == store.AllEnded {
			err = t.endAll(e.Expires)
		} else {
			err = t.remove(e.Session)
		}
		if err != nil {
			return err
		}
		if err := t.log(e.Kind, e.Session, e.Expires); err != nil {
			return err
		}
	}
	return nil
}

// missing returns what the log lacks of the entries.
func (t *tx) missing(entries []store.Entry) (missing []store.Entry, err error) {
	missing = merge.Missing(entries, t.now, func(yield func(store.Kind, store.SID) bool) {
		err = t.each(func(r row) { yield(store.Kind(r.ColumnInt(0)), sidAt(r, 1)) },
			`SELECT kind, sid FROM ended WHERE expires > ?`, t.now)
	})
	return missing, err
}
