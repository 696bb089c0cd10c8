package memory

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// end removes a session and writes it to the log. Its guard is held, and now was
// read since: nobody has seen the session live later.
func (s *Store) end(i slot, now time.Time, retain time.Duration) {
	s.append(store.SessionEnded, s.sessions.id(i), now.Add(retain))
	s.sessions.remove(i)
}

// End implements [store.Store].
func (s *Store) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	if err := s.begin(ctx); err != nil {
		return store.Ended{}, err
	}
	defer s.mu.Unlock()
	g := s.guard(id)
	g.Lock()
	defer g.Unlock()
	now := s.clock.Now()
	i, err := s.live(id, now)
	if err != nil {
		return store.Ended{Head: s.log.head()}, nil
	}
	s.end(i, now, retain)
	return store.Ended{Count: 1, Head: s.log.head()}, nil
}

// EndUser implements [store.Store].
func (s *Store) EndUser(ctx context.Context, user string, except store.SID, retain time.Duration) (store.Ended, error) {
	if err := s.begin(ctx); err != nil {
		return store.Ended{}, err
	}
	defer s.mu.Unlock()
	s.guards.Lock()
	defer s.guards.Unlock()
	now := s.clock.Now()
	s.generations.bump(user)
	count := 0
	for _, session := range s.ofUser(user, now) {
		if session.ID == except {
			continue
		}
		i, _ := s.sessions.find(session.ID)
		s.end(i, now, retain)
		count++
	}
	return store.Ended{Count: count, Head: s.log.head()}, nil
}

// EndAll implements [store.Store]. It takes the same time however many sessions
// there are. Ended.Count includes sessions that had expired and were not purged
// yet.
func (s *Store) EndAll(ctx context.Context, retain time.Duration) (store.Ended, error) {
	if err := s.begin(ctx); err != nil {
		return store.Ended{}, err
	}
	defer s.mu.Unlock()
	s.guards.Lock()
	defer s.guards.Unlock()
	count := s.sessions.len()
	s.endAll(s.clock.Now().Add(retain))
	return store.Ended{Count: count, Head: s.log.head()}, nil
}

func (s *Store) endAll(expires time.Time) {
	now := s.clock.Now()
	s.sessions = newTable(now, s.guards)
	s.generations.bumpAll()
	s.append(store.AllEnded, store.NewSID(now), expires)
}

// append adds an entry to the log and tells those who watch.
func (s *Store) append(kind store.Kind, session store.SID, expires time.Time) {
	s.log.append(kind, session, expires)
	s.watchers.Send(store.LogGrew)
}

// Generation implements [store.Store].
func (s *Store) Generation(ctx context.Context, user string) (uint64, error) {
	if err := s.beginRead(ctx); err != nil {
		return 0, err
	}
	defer s.mu.RUnlock()
	return s.generations.of(user), nil
}

// maxGenerations bounds the users whose generation is remembered one by one.
const maxGenerations = 1 << 16

// Generations are drawn from one counter, so that a user's can be forgotten
// without ever showing an old number again: the floor rises over it, and every
// login that is under way is refused once.
type generations struct {
	last  uint64
	floor uint64            // the generation of every user who is not in byUser
	seed  maphash.Seed      // users are remembered by hash: a collision refuses a login once
	users map[uint64]uint64 // no pointers: the garbage collector passes it over
}

func newGenerations() generations {
	return generations{last: 1, floor: 1, seed: maphash.MakeSeed(), users: map[uint64]uint64{}}
}

func (g *generations) of(user string) uint64 {
	return max(g.floor, g.users[maphash.String(g.seed, user)])
}

func (g *generations) bump(user string) {
	if len(g.users) >= maxGenerations {
		g.bumpAll()
		return
	}
	g.last++
	g.users[maphash.String(g.seed, user)] = g.last
}

func (g *generations) bumpAll() {
	g.last++
	g.floor = g.last
	g.users = map[uint64]uint64{}
}
