package memory

import (
	"bytes"
	"context"
	"slices"

	"github.com/counterfoil/counterfoil/store"
)

// List implements [store.Store]. The list of everybody's sessions looks at all
// of them for each page, a few thousandths at a time; of those that come or go
// meanwhile it may miss or hold any.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Session, error) {
	p := page{after: q.After, limit: q.Limit}
	if p.limit <= 0 || p.limit > store.MaxBatch {
		p.limit = store.MaxBatch
	}
	var err error
	if q.User == "" {
		err = s.listAll(ctx, &p)
	} else {
		err = s.listUser(ctx, &p, q.User)
	}
	return p.sessions(), err
}

func (s *Store) listUser(ctx context.Context, p *page, user string) error {
	if err := s.beginRead(ctx); err != nil {
		return err
	}
	defer s.mu.RUnlock()
	for _, session := range s.ofUser(user, s.clock.Now()) {
		p.add(session)
	}
	return nil
}

// listAll goes by the parts of the index: a session stays in its part, whatever
// becomes of it meanwhile. It holds the part's guard, not the store's lock.
func (s *Store) listAll(ctx context.Context, p *page) error {
	for i := range indexParts {
		g := s.guards.of(uint64(i) << partShift)
		if err := s.beginFind(ctx, g); err != nil {
			return err
		}
		now := s.clock.Now()
		for i := range s.sessions.byID.parts[i].slots {
			if s.sessions.live(i, now) && p.wants(s.sessions.id(i)) {
				var session store.Session
				s.session(i, now, &session)
				p.add(session)
			}
		}
		g.RUnlock()
	}
	return nil
}

// A page collects the sessions with the smallest ids after one.
type page struct {
	after store.SID
	limit int
	found []store.Session
	last  store.SID // no greater id is wanted; zero: not known yet
}

func (p *page) wants(id store.SID) bool {
	return compareIDs(id, p.after) > 0 && (p.last.IsZero() || compareIDs(id, p.last) < 0)
}

func (p *page) add(session store.Session) {
	if !p.wants(session.ID) {
		return
	}
	p.found = append(p.found, session)
	if len(p.found) >= 2*p.limit {
		p.found = p.sessions()
		p.last = p.found[len(p.found)-1].ID
	}
}

// sessions returns what the page holds, in order.
func (p *page) sessions() []store.Session {
	slices.SortFunc(p.found, func(a, b store.Session) int { return compareIDs(a.ID, b.ID) })
	return p.found[:min(p.limit, len(p.found))]
}

func compareIDs(a, b store.SID) int { return bytes.Compare(a[:], b[:]) }
