package postgres

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// Values implements [store.Store].
func (s *Store) Values(ctx context.Context, id store.SID) (values []byte, version uint64, err error) {
	err = s.read(ctx, s.timeout, func(b *pgx.Batch) {
		b.Queue(s.schema.sql(`SELECT coalesce(version, 1), data
			FROM cf.head, cf.epoch, cf.session LEFT JOIN cf.session_values USING (sid)
			WHERE `+readerLive+` AND sid = $2`), s.clock.Floor(), [16]byte(id)).QueryRow(func(r pgx.Row) error {
			var n int64
			values = nil
			err := r.Scan(&n, &values)
			version = uint64(n)
			return orNotFound(err)
		})
	})
	return values, version, err
}

// SaveValues implements [store.Store].
func (s *Store) SaveValues(ctx context.Context, id store.SID, version uint64, values []byte) error {
	if err := checkValues(values); err != nil {
		return err
	}
	values = bytes.Clone(values)
	_, err := write(ctx, s, operation[struct{}]{
		size: len(values),
		needs: func(n *needs) {
			n.session(id)
			put(&n.values, id, true)
		},
		decide: func(g *group, _ *struct{}) error { return g.save(id, version, values) },
	})
	return err
}

func (g *group) save(id store.SID, version uint64, values []byte) error {
	r := g.sessions[id]
	switch {
	case !g.live(r) || r.fresh: // nobody knows the session yet
		return store.ErrNotFound
	case r.version != version:
		return store.ErrConflict
	}
	r.version++
	if g.saved == nil {
		g.saved = map[store.SID]save{}
	}
	g.saved[id] = save{r.version, values}
	return nil
}

func checkValues(values []byte) error {
	if len(values) > store.MaxValues {
		return fmt.Errorf("%w: the values of a session take at most %d bytes", store.ErrTooLarge, store.MaxValues)
	}
	return nil
}
