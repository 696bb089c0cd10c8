package memory

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A refresh is the state of a session's family of refresh tokens. The zero
// refresh is no family.
type refresh struct {
	family, current store.Digest

	previous store.Digest // the token that was exchanged last
	sealed   [32]byte     // for it: its successor
	rotated  time.Time    // when; zero: never
}

func (r *refresh) exists() bool { return r.family != store.Digest{} }

// RotateRefresh implements [store.Store].
func (s *Store) RotateRefresh(ctx context.Context, r store.Rotation) (store.Rotated, error) {
	if err := s.begin(ctx); err != nil {
		return store.Rotated{}, err
	}
	defer s.mu.Unlock()
	now := s.clock.Now()
	i, err := s.live(r.ID, now)
	if err != nil {
		return store.Rotated{}, err
	}
	e := s.sessions.load(i)
	if !e.refresh.exists() || !same(e.refresh.family, r.Family) {
		return store.Rotated{}, store.ErrNotFound
	}
	var out store.Rotated
	switch {
	case same(e.refresh.current, r.Presented):
		e.refresh.previous, e.refresh.current = e.refresh.current, r.Next
		e.refresh.sealed, e.refresh.rotated = r.Sealed, now
		out.Sealed = r.Sealed
	case e.refresh.replays(r, now):
		out.Replayed, out.Sealed = true, e.refresh.sealed
	default:
		s.end(i, now, r.Retain)
		return store.Rotated{}, store.ErrReused
	}
	e.LastSeen = now
	s.sessions.save(i, e)
	out.Session, err = s.find(r.ID, now)
	return out, err
}

// FindRefresh implements [store.Store].
func (s *Store) FindRefresh(ctx context.Context, r store.Rotation) (store.Session, error) {
	if err := s.beginRead(ctx); err != nil {
		return store.Session{}, err
	}
	defer s.mu.RUnlock()
	now := s.clock.Now()
	i, err := s.live(r.ID, now)
	if err != nil {
		return store.Session{}, err
	}
	e := s.sessions.load(i)
	if !e.refresh.exists() || !same(e.refresh.family, r.Family) || !same(e.refresh.current, r.Presented) && !e.refresh.replays(r, now) {
		return store.Session{}, store.ErrNotFound
	}
	return s.find(r.ID, now)
}

// replays reports whether the presented token is the one before the current,
// and within the grace.
func (r *refresh) replays(asked store.Rotation, now time.Time) bool {
	return !r.rotated.IsZero() && same(r.previous, asked.Presented) && now.Before(r.rotated.Add(asked.Grace))
}

func same(a, b store.Digest) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
