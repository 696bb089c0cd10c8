package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// Document implements [store.Store].
func (s *Store) Document(ctx context.Context, name string) (data []byte, version uint64, err error) {
	err = s.read(ctx, s.timeout, func(b *pgx.Batch) {
		b.Queue(s.sql(`SELECT version, data FROM cf.document WHERE name = $1`), []byte(name)).QueryRow(func(r pgx.Row) error {
			var n int64
			err := r.Scan(&n, &data)
			version = uint64(n)
			return orNotFound(err)
		})
	})
	return data, version, err
}

// SwapDocument implements [store.Store].
func (s *Store) SwapDocument(ctx context.Context, name string, version uint64, data []byte) error {
	if len(data) > store.MaxDocument {
		return fmt.Errorf("%w: a document takes at most %d bytes", store.ErrTooLarge, store.MaxDocument)
	}
	if version > math.MaxInt64 {
		return store.ErrConflict
	}
	data = append([]byte{}, data...) // not nil: the column is never NULL
	var written int
	err := s.direct(ctx, func(b *pgx.Batch) {
		if version == 0 {
			changed(b.Queue(s.sql(`INSERT INTO cf.document (name, version, data) VALUES ($1, 1, $2) ON CONFLICT DO NOTHING`),
				[]byte(name), data), &written)
			return
		}
		changed(b.Queue(s.sql(`UPDATE cf.document SET version = version + 1, data = $2 WHERE name = $1 AND version = $3`),
			[]byte(name), data, int64(version)), &written)
	})
	if err == nil && written == 0 {
		return store.ErrConflict
	}
	return err
}
