package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Values implements [store.Store].
func (s *Store) Values(ctx context.Context, id store.SID) (values []byte, version uint64, err error) {
	err = s.read(ctx, func(c *conn, now time.Time) error {
		ok, err := c.one(func(r row) {
			version = uint64(r.ColumnInt64(0))
			values = r.ColumnBlob(1, nil)
		}, `SELECT coalesce(version, 1), data FROM meta CROSS JOIN session LEFT JOIN session_values USING (sid)
			WHERE `+readerLive+` AND sid = ?1`, id, now)
		return orNotFound(ok, err)
	})
	return values, version, err
}

// SaveValues implements [store.Store].
func (s *Store) SaveValues(ctx context.Context, id store.SID, version uint64, values []byte) error {
	if err := checkValues(values); err != nil {
		return err
	}
	values = bytes.Clone(values)
	_, err := write(ctx, s, func(t *tx) (struct{}, error) {
		return struct{}{}, t.saveValues(id, version, values)
	})
	return err
}

func (t *tx) saveValues(id store.SID, version uint64, values []byte) error {
	if err := t.room(); err != nil {
		return err
	}
	changed, err := t.exec(`UPDATE session_values SET version = version + 1, data = ?5 WHERE sid = ?3 AND version = ?4
		AND EXISTS (SELECT 1 FROM session WHERE `+live+` AND sid = ?3)`, t.epoch, t.now, id, int64(version), values)
	if err != nil || changed == 1 {
		return err
	}
	if err := t.live(id); err != nil {
		return err
	}
	if version == 1 {
		changed, err = t.exec(`INSERT INTO session_values (sid, version, data) VALUES (?, 2, ?) ON CONFLICT DO NOTHING`, id, values)
	}
	if err == nil && changed == 0 {
		return store.ErrConflict
	}
	return err
}

// firstValues gives a new session its values, or those of the one that it
// replaces.
func (t *tx) firstValues(c store.Creation) error {
	if c.Inherit {
		_, err := t.exec(`UPDATE session_values SET sid = ?1, version = 1 WHERE sid = ?2`, c.Session.ID, c.Replaces)
		return err
	}
	if c.Values == nil {
		return nil
	}
	_, err := t.exec(`INSERT INTO session_values (sid, version, data) VALUES (?, 1, ?)`, c.Session.ID, c.Values)
	return err
}

func checkValues(values []byte) error {
	if len(values) > store.MaxValues {
		return fmt.Errorf("%w: the values of a session take at most %d bytes", store.ErrTooLarge, store.MaxValues)
	}
	return nil
}
