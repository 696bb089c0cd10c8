// Package memory keeps sessions in the memory of one process.
//
//	sessions, err := counterfoil.New(counterfoil.Config{Store: memory.New(memory.Config{})})
//
// It is made for tests and for sites that run as one process. It is not
// durable: when the process ends, every session ends with it, and so do the log
// and the documents. What it acknowledges is safe from nothing but other
// requests. To keep sessions over a restart, take store/sqlite.
package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/internal/hints"
)

// A Config sizes a [Store]. The zero Config works.
type Config struct {
	// MaxSessions is how many sessions the store holds before Create returns
	// store.ErrFull. Zero: 10 million. With what all of them hold, but for values
	// of more than 1 KiB, they take 32 GiB at most.
	MaxSessions int
}

// A Store keeps sessions in memory. It is safe for concurrent use, starts no
// goroutine, and implements [store.Store].
//
// Expired sessions take memory until Purge is called; the manager does so.
type Store struct {
	max   int
	clock store.Clock

	// One lock orders everything that writes, so that what the contract wants in
	// one transaction is one by construction. Nothing holds it for longer than a
	// batch needs, nor while it waits for anything but guards.
	//
	// A session is found without it, under a guard, so that a check waits for no
	// purge. What both kinds of readers need is changed under the lock and all
	// guards.
	mu          sync.RWMutex
	guards      *guards
	closed      bool   // changes under all guards
	sessions    *table // changes under all guards
	generations generations
	log         journal
	holders     map[store.NodeID]store.Holder
	watchers    hints.Watchers
	documents   map[string]document
}

// What is done before the lock is given to whoever waits.
const (
	batch  = 64   // looks at sessions, removals of log entries
	stride = 1024 // copies of a log entry
)

var errClosed = errors.New("memory: the store is closed")

// New returns an empty store.
func New(c Config) *Store {
	s := &Store{
		max:         cmp.Or(c.MaxSessions, 10_000_000),
		guards:      newGuards(),
		generations: newGenerations(),
		documents:   map[string]document{},
		holders:     map[store.NodeID]store.Holder{},
	}
	s.sessions = newTable(s.clock.Now(), s.guards)
	return s
}

// begin takes the lock for writing, unless the store must not be used.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	return nil
}

// beginRead is begin for methods that write nothing, and need more than to find
// a session.
func (s *Store) beginRead(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return errClosed
	}
	return nil
}

// beginFind takes a guard for reading, unless the store must not be used.
func (s *Store) beginFind(ctx context.Context, g *guard) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.RLock()
	if s.closed {
		g.RUnlock()
		return errClosed
	}
	return nil
}

func (s *Store) guard(id store.SID) *guard { return s.guards.of(s.guards.hash(id)) }

// live returns the slot of a live session.
func (s *Store) live(id store.SID, now time.Time) (slot, error) {
	i, ok := s.sessions.find(id)
	if !ok || !s.sessions.live(i, now) {
		return 0, store.ErrNotFound
	}
	return i, nil
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, c store.Creation) (created store.Session, err error) {
	if err := c.Session.Validate(); err != nil {
		return store.Session{}, err
	}
	if err := checkValues(c.Values); err != nil {
		return store.Session{}, err
	}
	if err := s.begin(ctx); err != nil {
		return store.Session{}, err
	}
	defer s.mu.Unlock()

	if c.Generation != 0 && c.Generation != s.generations.of(c.Session.User) {
		return store.Session{}, store.ErrSuperseded
	}
	if _, exists := s.sessions.find(c.Session.ID); exists {
		return store.Session{}, fmt.Errorf("%w: the session id exists", store.ErrConflict)
	}
	if c.Replaces.IsZero() && s.full() {
		return store.Session{}, store.ErrFull
	}

	var guard sync.Locker = s.guard(c.Session.ID)
	if !c.Replaces.IsZero() || c.Limit > 0 { // it may end others
		guard = s.guards
	}
	guard.Lock()
	defer guard.Unlock()
	now := s.clock.Now()
	values := c.Values
	var replaced slot
	if !c.Replaces.IsZero() {
		if replaced, err = s.live(c.Replaces, now); err != nil {
			return store.Session{}, err
		}
		if c.Inherit {
			values, _ = s.sessions.values(replaced)
		}
	}
	if !s.sessions.add(entry{
		Session: stamp(c, now),
		version: 1,
		values:  values,
		refresh: refresh{family: c.Refresh.Family, current: c.Refresh.Current},
	}) {
		return store.Session{}, store.ErrFull
	}
	if replaced != 0 {
		s.end(replaced, now, c.Retain)
	}
	s.keepNewest(c, now)
	err = s.find(c.Session.ID, now, &created)
	return created, err
}

// full reports whether there is no room for one more session, not even after
// a batch of expired ones has gone.
func (s *Store) full() bool {
	if s.sessions.len() >= s.max {
		s.sessions.expire(s.clock.Now(), batch)
	}
	return s.sessions.len() >= s.max
}

// stamp fills in the times that are the store's.
func stamp(c store.Creation, now time.Time) store.Session {
	session := c.Session
	session.Created, session.LastSeen = now, now
	if session.AuthTime.IsZero() && session.User != "" {
		session.AuthTime = now
	}
	if session.Deadline.IsZero() {
		session.Deadline = now.Add(c.Lifetime)
	}
	return session
}

// keepNewest ends the user's oldest sessions that exceed the limit.
func (s *Store) keepNewest(c store.Creation, now time.Time) {
	if c.Limit <= 0 || c.Session.User == "" {
		return
	}
	sessions := s.ofUser(c.Session.User, now)
	if len(sessions) <= c.Limit {
		return
	}
	slices.SortFunc(sessions, func(a, b store.Session) int {
		return cmp.Or(a.Created.Compare(b.Created), compareIDs(a.ID, b.ID))
	})
	excess := len(sessions) - c.Limit
	for _, old := range sessions {
		if excess == 0 {
			return
		}
		if old.ID == c.Session.ID { // the new one stays, whatever its id
			continue
		}
		i, _ := s.sessions.find(old.ID)
		s.end(i, now, c.Retain)
		excess--
	}
}

// Find implements [store.Store].
func (s *Store) Find(ctx context.Context, id store.SID) (session store.Session, err error) {
	g := s.guard(id)
	if err := s.beginFind(ctx, g); err != nil {
		return session, err
	}
	defer g.RUnlock()
	err = s.find(id, s.clock.Recent(), &session)
	return session, err
}

// find is Find under a guard. It fills in a session, which is too large to be
// handed up and up.
func (s *Store) find(id store.SID, now time.Time, session *store.Session) error {
	i, err := s.live(id, now)
	if err != nil {
		return err
	}
	s.session(i, now, session)
	return nil
}

func (s *Store) session(i slot, now time.Time, session *store.Session) {
	s.sessions.session(i, session)
	session.AsOf = now
}

// ofUser returns the user's live sessions in no order.
func (s *Store) ofUser(user string, now time.Time) []store.Session {
	var sessions []store.Session
	for i := range s.sessions.ofUser(user) {
		if s.sessions.live(i, now) {
			sessions = append(sessions, store.Session{})
			s.session(i, now, &sessions[len(sessions)-1])
		}
	}
	return sessions
}

// Values implements [store.Store].
func (s *Store) Values(ctx context.Context, id store.SID) ([]byte, uint64, error) {
	g := s.guard(id)
	if err := s.beginFind(ctx, g); err != nil {
		return nil, 0, err
	}
	defer g.RUnlock()
	i, err := s.live(id, s.clock.Recent())
	if err != nil {
		return nil, 0, err
	}
	values, version := s.sessions.values(i)
	return append([]byte(nil), values...), version, nil // nil where there are none
}

// SaveValues implements [store.Store].
func (s *Store) SaveValues(ctx context.Context, id store.SID, version uint64, values []byte) error {
	if err := checkValues(values); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	g := s.guard(id)
	g.Lock()
	defer g.Unlock()
	i, err := s.live(id, s.clock.Now())
	if err != nil {
		return err
	}
	if _, current := s.sessions.values(i); current != version {
		return store.ErrConflict
	}
	if !s.sessions.save(i, version+1, values) {
		return store.ErrFull
	}
	return nil
}

func checkValues(values []byte) error {
	if len(values) > store.MaxValues {
		return fmt.Errorf("%w: the values of a session take at most %d bytes", store.ErrTooLarge, store.MaxValues)
	}
	return nil
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, touches []store.Touch) error {
	if len(touches) > store.MaxTouchSize {
		return fmt.Errorf("%w: at most %d touches at once", store.ErrTooLarge, store.MaxTouchSize)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for some := range slices.Chunk(touches, batch) {
		if err := s.begin(context.WithoutCancel(ctx)); err != nil { // what was begun goes on
			return err
		}
		for _, touch := range some {
			s.touch(touch)
		}
		s.mu.Unlock()
	}
	return nil
}

func (s *Store) touch(t store.Touch) {
	g := s.guard(t.ID)
	g.Lock()
	defer g.Unlock()
	now := s.clock.Now()
	if i, err := s.live(t.ID, now); err == nil {
		s.sessions.touch(i, earlier(t.At, now))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Purge implements [store.Store]. If ctx ends on the way, it stops early and
// says what it has removed.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	if err := s.beginRead(ctx); err != nil {
		return 0, err
	}
	s.mu.RUnlock()

	sessions := s.inBatches(ctx, limit, func(now time.Time, limit int) (int, bool) {
		return s.sessions.expire(now, limit)
	})
	entries := s.inBatches(ctx, limit, func(now time.Time, limit int) (int, bool) {
		removed := s.log.prune(now, limit)
		return removed, removed < limit
	})
	return sessions + entries, nil
}

// inBatches calls remove until it has removed limit or is done, or the store
// can't be used any more, and lets go of the lock after each call.
func (s *Store) inBatches(ctx context.Context, limit int, remove func(now time.Time, limit int) (removed int, done bool)) (total int) {
	for total < limit && s.begin(ctx) == nil {
		removed, done := remove(s.clock.Now(), min(batch, limit-total))
		s.mu.Unlock()
		total += removed
		if done {
			break
		}
		runtime.Gosched() // whoever waits for the lock goes first
	}
	return total
}

// InProcess implements [store.Store].
func (s *Store) InProcess() bool { return true }

// Close implements [store.Store]. Every session is gone then.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guards.Lock()
	defer s.guards.Unlock()
	s.closed = true
	s.watchers.Close(errClosed)
	s.sessions, s.log, s.documents = newTable(time.Time{}, s.guards), journal{}, nil
	return nil
}
