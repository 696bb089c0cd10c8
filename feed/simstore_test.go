package feed

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A simStore is the store of a simulation, in one piece: what its methods do is
// one transaction. It can do what no real store does on demand: lose the tail of
// its log. A session is live while the log does not name it.
type simStore struct {
	mu       sync.Mutex
	down     bool
	log      []store.Entry
	holders  map[store.NodeID]store.Holder
	watching map[chan store.Hint]bool
	ended    func(store.SID) // told when a session's end is in the log
	lost     func(store.SID) // told when it is there no more
}

var errDown = errors.New("the store is down")

func newSimStore() *simStore {
	return &simStore{holders: map[store.NodeID]store.Holder{}, watching: map[chan store.Hint]bool{}}
}

func (s *simStore) begin() error {
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		return errDown
	}
	return nil
}

func (s *simStore) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func headOf(log []store.Entry) store.Cursor {
	if len(log) == 0 {
		return store.Cursor{}
	}
	return log[len(log)-1].Cursor
}

// simPage is how many entries an answer has at most, so that some take two.
const simPage = 2

// follow answers from a log: the store's, or an older one that a replica has.
func follow(log []store.Entry, after store.Cursor, limit int) (store.News, error) {
	if after.Pos > uint64(len(log)) || headOf(log[:after.Pos]) != after {
		return store.News{}, store.ErrUnknownCursor
	}
	entries, limit := log[after.Pos:], min(limit, simPage)
	return store.News{Entries: slices.Clone(entries[:min(limit, len(entries))]), Head: headOf(log), Now: time.Now()}, nil
}

func (s *simStore) beat(b store.Beat) (store.News, error) {
	if err := s.begin(); err != nil {
		return store.News{}, err
	}
	defer s.mu.Unlock()
	news, err := follow(s.log, b.After, b.Limit)
	if err == nil {
		s.holders[b.Node] = store.Holder{
			Node:  b.Node,
			Acked: max(min(b.Acked, b.After.Pos), s.holders[b.Node].Acked),
			Until: time.Now().Add(store.Longest(b.Bound)),
		}
	}
	return news, err
}

// followReplica answers as a replica that lacks the last entries.
func (s *simStore) followReplica(after store.Cursor, limit, lacks int) (store.News, error) {
	if err := s.begin(); err != nil {
		return store.News{}, err
	}
	defer s.mu.Unlock()
	return follow(s.log[:max(len(s.log)-lacks, min(int(after.Pos), len(s.log)))], after, limit)
}

func (s *simStore) snapshot() (store.News, error) {
	if err := s.begin(); err != nil {
		return store.News{}, err
	}
	defer s.mu.Unlock()
	return store.News{Entries: slices.Clone(s.log), Head: headOf(s.log), Now: time.Now()}, nil
}

func (s *simStore) merge(entries []store.Entry) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, e := range entries {
		s.end(e.Session, e.Expires)
	}
	return nil
}

func (s *simStore) endSession(id store.SID, retain time.Duration) (store.Ended, error) {
	if err := s.begin(); err != nil {
		return store.Ended{}, err
	}
	defer s.mu.Unlock()
	s.end(id, time.Now().Add(retain))
	return store.Ended{Head: headOf(s.log)}, nil
}

// end is called with s.mu held.
func (s *simStore) end(id store.SID, expires time.Time) {
	if s.has(id) {
		return
	}
	e := store.Entry{Kind: store.SessionEnded, Session: id, Expires: expires}
	e.Cursor = store.Cursor{Pos: uint64(len(s.log)) + 1, ID: store.NewNodeID()}
	s.log = append(s.log, e)
	s.ended(id)
	s.hint(store.LogGrew)
}

func (s *simStore) has(id store.SID) bool {
	return slices.ContainsFunc(s.log, func(e store.Entry) bool { return e.Session == id })
}

// failover loses the last entries: what took its place had not been told of
// them. The nodes on record were told in time, but what they acknowledged of
// the lost entries counts for nothing.
func (s *simStore) failover(lose int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := max(len(s.log)-lose, 0)
	for _, e := range s.log[keep:] {
		s.lost(e.Session)
	}
	s.log = slices.Clone(s.log[:keep])
	for id, h := range s.holders {
		h.Acked = min(h.Acked, uint64(keep))
		s.holders[id] = h
	}
}

func (s *simStore) holdersNow() ([]store.Holder, time.Time, error) {
	if err := s.begin(); err != nil {
		return nil, time.Time{}, err
	}
	defer s.mu.Unlock()
	var holders []store.Holder
	for _, h := range s.holders {
		if h.Until.After(time.Now()) {
			holders = append(holders, h)
		}
	}
	return holders, time.Now(), nil
}

func (s *simStore) nudge() error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.hint(store.BeatNow)
	return nil
}

// hint is called with s.mu held.
func (s *simStore) hint(h store.Hint) {
	for c := range s.watching {
		select {
		case c <- h:
		default: // a hint is lost
		}
	}
}

// watch delivers hints, each as late as the link makes it, until ctx ends.
func (s *simStore) watch(ctx context.Context, deliver func(store.Hint)) error {
	c := make(chan store.Hint, 8)
	s.mu.Lock()
	s.watching[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watching, c)
	}()
	deliver(store.LogGrew)
	for {
		select {
		case h := <-c:
			deliver(h)
		case <-ctx.Done():
			return nil
		}
	}
}
