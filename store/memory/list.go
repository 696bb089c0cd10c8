package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/counterfoil/counterfoil/store"
)

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Session, error) {
	if err := s.beginRead(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	limit := min(cmp.Or(q.Limit, store.MaxBatch), store.MaxBatch)
	now := s.clock.Now()
	slots := s.sessions.ofUser(q.User)
	if q.User == "" {
		slots = s.sessions.all()
	}
	var found []store.Session
	for i := range slots {
		if id := s.sessions.id(i); !s.sessions.live(i, now) || slices.Compare(id[:], q.After[:]) <= 0 {
			continue
		}
		session := s.sessions.session(i)
		session.AsOf = now
		found = append(found, session)
	}
	slices.SortFunc(found, func(a, b store.Session) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return found[:min(limit, len(found))], nil
}
