package redis

import (
	"context"

	"github.com/counterfoil/counterfoil/store"
)

var (
	rotateScript      = newScript("rotate", ends)
	findRefreshScript = newScript("find_refresh", reads)
)

// RotateRefresh implements [store.Store].
func (s *Store) RotateRefresh(ctx context.Context, r store.Rotation) (store.Rotated, error) {
	answer, err := s.run(ctx, rotateScript, r.ID.String(), string(r.Family[:]), string(r.Presented[:]), string(r.Next[:]),
		string(r.Sealed[:]), number(r.Grace.Milliseconds()), number(retained(r.Retain)))
	if err != nil {
		return store.Rotated{}, err
	}
	out := store.Rotated{Session: answer.list(2).session(answer.int(1)), Replayed: answer.int(3) == 1}
	answer.bytes(4, out.Sealed[:])
	if *answer.err != nil {
		return store.Rotated{}, rotateScript.explain(*answer.err)
	}
	return out, nil
}

// FindRefresh implements [store.Store].
func (s *Store) FindRefresh(ctx context.Context, r store.Rotation) (store.Session, error) {
	answer, err := s.run(ctx, findRefreshScript, r.ID.String(), string(r.Family[:]), string(r.Presented[:]), number(r.Grace.Milliseconds()))
	if err != nil {
		return store.Session{}, err
	}
	session := answer.list(2).session(answer.int(1))
	if *answer.err != nil {
		return store.Session{}, *answer.err
	}
	return session, nil
}
