package sqlite

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A refresh is the state of a session's family of refresh tokens.
type refresh struct {
	family, current, previous store.Digest
	sealed                    [32]byte  // for previous: its successor
	rotated                   time.Time // when previous was exchanged; zero: never
}

const refreshColumns = `family, current, previous, sealed, rotated`

func refreshAt(r row, column int) (f refresh) {
	fill(f.family[:], r, column)
	fill(f.current[:], r, column+1)
	fill(f.previous[:], r, column+2)
	fill(f.sealed[:], r, column+3)
	f.rotated = timeAt(r, column+4)
	return f
}

// RotateRefresh implements [store.Store].
func (s *Store) RotateRefresh(ctx context.Context, r store.Rotation) (store.Rotated, error) {
	return write(ctx, s, func(t *tx) (store.Rotated, error) { return t.rotate(r) })
}

func (t *tx) rotate(r store.Rotation) (store.Rotated, error) {
	var out store.Rotated
	var known refresh
	found, err := t.one(func(row row) {
		out.Session = sessionAt(row)
		known = refreshAt(row, sessionColumnCount)
	}, `SELECT `+sessionColumns+`, `+refreshColumns+` FROM session
		WHERE `+live+` AND sid = ?3 AND family IS NOT NULL`, t.epoch, t.now, r.ID)
	if err != nil {
		return out, err
	}
	if !found || !same(known.family, r.Family) {
		return out, store.ErrNotFound
	}
	out.Session.LastSeen, out.Session.AsOf = t.now, t.now
	switch {
	case same(known.current, r.Presented):
		out.Sealed = r.Sealed
		_, err = t.exec(`UPDATE session SET last_seen = ?2, previous = current, current = ?3, sealed = ?4, rotated = ?2 WHERE sid = ?1`,
			r.ID, t.now, r.Next[:], r.Sealed[:])
	case known.replays(r, t.now):
		out.Sealed, out.Replayed = known.sealed, true
		_, err = t.exec(`UPDATE session SET last_seen = ?2 WHERE sid = ?1`, r.ID, t.now)
	default:
		if _, err = t.end(r.ID, r.Retain); err == nil {
			err = store.ErrReused
		}
	}
	return out, err
}

// FindRefresh implements [store.Store].
func (s *Store) FindRefresh(ctx context.Context, r store.Rotation) (found store.Session, err error) {
	var known refresh
	err = s.read(ctx, func(c *conn, now time.Time) error {
		ok, err := c.one(func(row row) {
			found = liveAt(row)
			known = refreshAt(row, sessionColumnCount+1)
		}, `SELECT `+sessionColumns+`, `+readerNow+`, `+refreshColumns+` FROM meta CROSS JOIN session
			WHERE `+readerLive+` AND sid = ?1 AND family IS NOT NULL`, r.ID, now)
		return orNotFound(ok, err)
	})
	if err == nil && (!same(known.family, r.Family) || !same(known.current, r.Presented) && !known.replays(r, found.AsOf)) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Session{}, err
	}
	return found, nil
}

// replays reports whether the presented token is the one before the current,
// and within the grace.
func (f refresh) replays(r store.Rotation, now time.Time) bool {
	return !f.rotated.IsZero() && same(f.previous, r.Presented) && now.Before(f.rotated.Add(r.Grace))
}

func same(a, b store.Digest) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
