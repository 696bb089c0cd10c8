package counterfoil

import (
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/store"
)

// seen is what this process remembers of the sessions that it has found in the
// store. It says nothing about whether they live; the view does.
type seen struct {
	view   *feed.View
	shards [seenShards]seenShard
	max    int // in a shard
}

const seenShards = 64

type seenShard struct {
	mu       sync.RWMutex
	sessions map[store.SID]*remembered
}

// What is remembered of a session is not changed, but replaced.
type remembered struct {
	session Session
	secret  store.Digest // of the one in the cookie
}

func newSeen(n int) *seen {
	s := &seen{max: max(n/seenShards, 1)}
	for i := range s.shards {
		s.shards[i].sessions = map[store.SID]*remembered{}
	}
	return s
}

// shard goes by the random end of the id; nobody chooses ids.
func (s *seen) shard(id store.SID) *seenShard { return &s.shards[id[len(id)-1]%seenShards] }

// get returns what is remembered of a session, or nil.
func (s *seen) get(id store.SID) *remembered {
	sh := s.shard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.sessions[id]
}

// add remembers a session that was found in the store after the check began.
//
// The session may have ended since, and the view been told; then it is not
// remembered. Both are looked at under the lock that forget takes: an end that
// is told later takes the session out again. That the check is still proven
// shows that little time has passed, less than the view remembers an end for.
func (s *seen) add(check feed.Check, found *remembered) {
	id := found.session.id
	sh := s.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ended := s.view.Ended(id) || check.AllEndedSince()
	if _, proven := check.Finish(); !proven || ended {
		return
	}
	if len(sh.sessions) >= s.max {
		for other := range sh.sessions { // any one: the order of a map is random
			delete(sh.sessions, other)
			break
		}
	}
	sh.sessions[id] = found
}

// touched notes that the store has noted a use. Not where the session was about
// to expire: then it may have, and the touch revived nothing. It is asked for
// again when it seems to have expired.
func (s *seen) touched(id store.SID, at, now time.Time) {
	sh := s.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	known := sh.sessions[id]
	if known == nil || !now.Add(expiryMargin).Before(known.session.Expires()) || !known.session.LastSeen().Before(at) {
		return
	}
	moved := *known
	moved.session.lastSeen = toMillis(at)
	sh.sessions[id] = &moved
}

// expiryMargin is more than this process's idea of the store's time can be off.
const expiryMargin = 5 * time.Second

func (s *seen) forget(id store.SID) {
	sh := s.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.sessions, id)
}

func (s *seen) forgetAll() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		clear(sh.sessions)
		sh.mu.Unlock()
	}
}
