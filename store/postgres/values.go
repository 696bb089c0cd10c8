package postgres

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// versioned are the values of a session.
type versioned struct {
	values  []byte
	version uint64
}

const (
	valuesColumns = `coalesce(v.version, 1), v.data`
	withValues    = `LEFT JOIN LATERAL (SELECT version, data FROM cf.session_values v WHERE v.sid = session.sid OFFSET 0) v ON true`
)

// scanValues reads a row of valuesColumns, and what stands behind them.
func scanValues(row pgx.Row, more ...any) (v versioned, err error) {
	var version int64
	err = row.Scan(append([]any{&version, &v.values}, more...)...)
	v.version = uint64(version)
	return v, err
}

// Values implements [store.Store].
func (s *Store) Values(ctx context.Context, id store.SID) (values []byte, version uint64, err error) {
	found, err := s.values.find(ctx, id)
	return found.what.values, found.what.version, err
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
