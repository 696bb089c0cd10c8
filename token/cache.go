package token

import (
	"crypto/sha256"
	"sync"
)

// A digest names a token in the cache. The token itself is not kept: what is
// read out of memory opens nothing.
type digest [sha256.Size]byte

const shards = 16 // so that processors seldom wait for each other

// A cache remembers what authenticated tokens say. Each shard has two
// generations: when the young one is full it becomes the old one, and what was
// old is forgotten. What is used is moved to the young one, so what is in use
// stays.
type cache struct {
	shards [shards]shard
	limit  int // of one generation of one shard
}

type shard struct {
	mu         sync.RWMutex
	young, old map[digest]*Claims
}

// newCache makes a cache of at most size entries, 0 for none.
func newCache(size int) *cache { return &cache{limit: size / (2 * shards)} }

// get returns the claims of a token, or nil.
func (c *cache) get(id digest) *Claims {
	s := c.shard(id)
	s.mu.RLock()
	claims, young := s.young[id]
	if !young {
		claims = s.old[id]
	}
	s.mu.RUnlock()
	if claims != nil && !young {
		c.add(id, claims)
	}
	return claims
}

// add remembers the claims of a token.
func (c *cache) add(id digest, claims *Claims) {
	if c.limit == 0 {
		return
	}
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= c.limit {
		s.old, s.young = s.young, nil
	}
	if s.young == nil {
		s.young = make(map[digest]*Claims)
	}
	s.young[id] = claims
}

func (c *cache) shard(id digest) *shard { return &c.shards[id[0]%shards] }
