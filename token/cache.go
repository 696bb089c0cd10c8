package token

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// A cache remembers authenticated tokens. It has two generations: when the young
// one is full it becomes the old one, and what was old is forgotten. What is
// used is moved to the young one, so what is in use stays.
//
// To look something up takes no lock, and writes nothing.
type cache struct {
	limit      int        // tokens of a generation
	mu         sync.Mutex // held by who adds
	young, old atomic.Pointer[generation]
}

// newCache makes a cache of at most size tokens; none where that is less than
// one for each generation.
func newCache(size int) *cache { return &cache{limit: min(max(size, 0)/2, maxTokens)} }

// get fills in the claims of a token, and reports whether it is remembered.
func (c *cache) get(id *digest, header, payload string, claims *Claims) bool {
	if c.young.Load().get(id, header, payload, claims) {
		return true
	}
	if !c.old.Load().get(id, header, payload, claims) {
		return false
	}
	c.add(id, header, payload, claims)
	return true
}

// add remembers an authenticated token.
func (c *cache) add(id *digest, header, payload string, claims *Claims) {
	if c.limit == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.young.Load()
	if _, known := g.find(id, header, payload); known || g.add(id, header, payload, claims) {
		return
	}
	next := newGeneration(c.limit)
	next.add(id, header, payload, claims)
	c.old.Store(g)
	c.young.Store(next)
}

// A digest is the SHA-256 of a token's signature segment. Who reads the memory
// can't make the signature of it.
type digest [sha256.Size]byte

// digestOf hashes without an allocation for every signature of ours.
func digestOf(signature string) digest {
	var buf [512]byte // RS256 with 3072 bits
	return sha256.Sum256(append(buf[:0], signature...))
}

func (d *digest) hash() uint64 { return binary.LittleEndian.Uint64(d[:]) }
