package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Document implements [store.Store].
func (s *Store) Document(ctx context.Context, name string) (data []byte, version uint64, err error) {
	err = s.read(ctx, func(c *conn, _ time.Time) error {
		found, err := c.one(func(r row) {
			version = uint64(r.ColumnInt64(0))
			data = r.ColumnBlob(1, nil)
		}, `SELECT version, data FROM document WHERE name = ?`, name)
		return orNotFound(found, err)
	})
	return data, version, err
}

// SwapDocument implements [store.Store].
func (s *Store) SwapDocument(ctx context.Context, name string, version uint64, data []byte) error {
	if len(data) > store.MaxDocument {
		return fmt.Errorf("%w: a document takes at most %d bytes", store.ErrTooLarge, store.MaxDocument)
	}
	data = append([]byte{}, data...) // not nil: the column is never NULL
	_, err := write(ctx, s, func(t *tx) (struct{}, error) {
		return struct{}{}, t.swapDocument(name, version, data)
	})
	return err
}

func (t *tx) swapDocument(name string, version uint64, data []byte) error {
	if err := t.room(); err != nil {
		return err
	}
	var changed int
	var err error
	if version == 0 {
		changed, err = t.exec(`INSERT INTO document (name, version, data) VALUES (?, 1, ?) ON CONFLICT DO NOTHING`, name, data)
	} else {
		changed, err = t.exec(`UPDATE document SET version = version + 1, data = ?3 WHERE name = ?1 AND version = ?2`, name, int64(version), data)
	}
	if err == nil && changed == 0 {
		return store.ErrConflict
	}
	return err
}
