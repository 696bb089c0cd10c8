package postgres

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// A refresh is the state of a session's family of refresh tokens.
type refresh struct {
	family, current, previous store.Digest
	sealed                    [32]byte  // for previous: its successor
	rotated                   time.Time // when previous was exchanged; zero: never
}

const refreshColumns = `family, current, previous, sealed, rotated`

// scanRefresh reads a row of sessionColumns and refreshColumns, and what stands
// behind them.
func scanRefresh(row pgx.Row, more ...any) (session store.Session, f refresh, err error) {
	var family, current, previous, sealed []byte
	var rotated int64
	session, err = scanSession(row, append([]any{&family, &current, &previous, &sealed, &rotated}, more...)...)
	copy(f.family[:], family)
	copy(f.current[:], current)
	copy(f.previous[:], previous)
	copy(f.sealed[:], sealed)
	f.rotated = fromMillis(rotated)
	return session, f, err
}

// RotateRefresh implements [store.Store].
func (s *Store) RotateRefresh(ctx context.Context, r store.Rotation) (store.Rotated, error) {
	return write(ctx, s, operation[store.Rotated]{
		needs: func(n *needs) {
			n.planned = true
			n.session(r.ID)
			put(&n.refresh, r.ID, true)
		},
		decide: func(g *group, out *store.Rotated) (err error) {
			*out, err = g.rotate(r)
			return err
		},
	})
}

func (g *group) rotate(r store.Rotation) (out store.Rotated, err error) {
	found := g.sessions[r.ID]
	if !g.live(found) || found.whole == nil || !same(found.whole.refresh.family, r.Family) {
		return out, store.ErrNotFound
	}
	session, known := &found.whole.session, &found.whole.refresh
	session.LastSeen, session.AsOf = g.now, g.now
	switch {
	case same(known.current, r.Presented):
		out.Sealed = r.Sealed
		known.previous, known.current, known.sealed, known.rotated = known.current, r.Next, r.Sealed, g.now
	case known.replays(r, g.now):
		out.Sealed, out.Replayed = known.sealed, true
	default:
		g.end(found, r.Retain)
		return out, store.ErrReused
	}
	out.Session = *session
	if g.rotated == nil {
		g.rotated = map[store.SID]*row{}
	}
	g.rotated[r.ID] = found
	return out, nil
}

// FindRefresh implements [store.Store].
func (s *Store) FindRefresh(ctx context.Context, r store.Rotation) (found store.Session, err error) {
	var known refresh
	err = s.read(ctx, s.timeout, func(b *pgx.Batch) {
		sql := s.sql(`SELECT ` + sessionColumns + `, ` + refreshColumns + `, ` + readNow + fromLive + ` AND sid = $2 AND family IS NOT NULL`)
		b.Queue(sql, s.clock.Floor(), [16]byte(r.ID)).QueryRow(func(row pgx.Row) error {
			var now int64
			var err error
			found, known, err = scanRefresh(row, &now)
			if err != nil {
				return orNotFound(err)
			}
			found.AsOf = fromMillis(now)
			s.clock.saw(found.AsOf)
			return nil
		})
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
