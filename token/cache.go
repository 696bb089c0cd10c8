package token

import (
	"crypto/sha256"
	"sync"
)

// A digest is the SHA-256 of a token's signature segment. It names the token in
// the cache.
type digest [sha256.Size]byte

// An entry is what can't change about a token: one of our keys signed this
// text, and these are the claims in it. The signature is not kept, so what is
// read out of memory opens nothing.
type entry struct {
	signed []byte // the header segment, a dot, and the payload segment
	claims Claims
}

const shards = 16 // so that processors seldom wait for each other

// A cache remembers authenticated tokens. Each shard has two generations: when
// the young one is full it becomes the old one, and what was old is forgotten.
// What is used is moved to the young one, so what is in use stays.
type cache struct {
	shards [shards]shard
	limit  int // of one generation of one shard
}

type shard struct {
	mu         sync.RWMutex
	young, old map[digest]*entry
}

// newCache makes a cache of at most size entries; none where that is less than
// one for each generation of each shard.
func newCache(size int) *cache { return &cache{limit: size / (2 * shards)} }

// get returns the entry of the token that consists of these two parts, or nil.
func (c *cache) get(id digest, signed string) *entry {
	s := c.shard(id)
	s.mu.RLock()
	e, young := s.young[id]
	if !young {
		e = s.old[id]
	}
	s.mu.RUnlock()
	if e == nil || string(e.signed) != signed {
		return nil
	}
	if !young {
		c.add(id, e)
	}
	return e
}

// add remembers an authenticated token.
func (c *cache) add(id digest, e *entry) {
	if c.limit == 0 {
		return
	}
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= c.limit {
		s.young, s.old = s.old, s.young
		clear(s.young)
	}
	if s.young == nil {
		s.young = make(map[digest]*entry)
	}
	s.young[id] = e
}

func (c *cache) shard(id digest) *shard { return &c.shards[id[0]%shards] }

// digestOf hashes without an allocation for every signature of ours.
func digestOf(signature string) digest {
	var buf [512]byte // RS256 with 3072 bits
	return sha256.Sum256(append(buf[:0], signature...))
}
