package memory

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
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

const refreshSize = 4*32 + 8

func (r *refresh) exists() bool { return r.family != store.Digest{} }

// pack appends refreshSize bytes.
func (r *refresh) pack(b []byte) []byte {
	b = append(b, r.family[:]...)
	b = append(b, r.current[:]...)
	b = append(b, r.previous[:]...)
	b = append(b, r.sealed[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(r.rotated.UnixMilli()))
}

// unpackRefresh reads what pack has written, or nothing.
func unpackRefresh(p piece) (r refresh) {
	if len(p) == 0 {
		return refresh{}
	}
	for i, digest := range [...]*[32]byte{(*[32]byte)(&r.family), (*[32]byte)(&r.current), (*[32]byte)(&r.previous), &r.sealed} {
		copy(digest[:], p[32*i:])
	}
	r.rotated = fromMilli(p.int(4 * 32))
	return r
}

// RotateRefresh implements [store.Store].
func (s *Store) RotateRefresh(ctx context.Context, r store.Rotation) (store.Rotated, error) {
	if err := s.begin(ctx); err != nil {
		return store.Rotated{}, err
	}
	defer s.mu.Unlock()
	g := s.guard(r.ID)
	g.Lock()
	defer g.Unlock()
	now := s.clock.Now()
	i, err := s.live(r.ID, now)
	if err != nil {
		return store.Rotated{}, err
	}
	tokens := s.sessions.refresh(i)
	if !tokens.exists() || !same(tokens.family, r.Family) {
		return store.Rotated{}, store.ErrNotFound
	}
	var out store.Rotated
	switch {
	case same(tokens.current, r.Presented):
		tokens.previous, tokens.current = tokens.current, r.Next
		tokens.sealed, tokens.rotated = r.Sealed, now
		s.sessions.setRefresh(i, tokens)
		out.Sealed = r.Sealed
	case tokens.replays(r, now):
		out.Replayed, out.Sealed = true, tokens.sealed
	default:
		s.end(i, now, r.Retain)
		return store.Rotated{}, store.ErrReused
	}
	s.sessions.touch(i, now)
	s.session(i, now, &out.Session)
	return out, nil
}

// FindRefresh implements [store.Store].
func (s *Store) FindRefresh(ctx context.Context, r store.Rotation) (session store.Session, err error) {
	g := s.guard(r.ID)
	if err := s.beginFind(ctx, g); err != nil {
		return store.Session{}, err
	}
	defer g.RUnlock()
	now := s.clock.Now()
	i, err := s.live(r.ID, now)
	if err != nil {
		return store.Session{}, err
	}
	tokens := s.sessions.refresh(i)
	if !tokens.exists() || !same(tokens.family, r.Family) || !same(tokens.current, r.Presented) && !tokens.replays(r, now) {
		return store.Session{}, store.ErrNotFound
	}
	s.session(i, now, &session)
	return session, nil
}

// replays reports whether the presented token is the one before the current,
// and within the grace.
func (r *refresh) replays(asked store.Rotation, now time.Time) bool {
	return !r.rotated.IsZero() && same(r.previous, asked.Presented) && now.Before(r.rotated.Add(asked.Grace))
}

func same(a, b store.Digest) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
