package token

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// A cache remembers authenticated tokens. It has two generations: when the young
// one is full it becomes the old one, and what was old is forgotten. What is
// used is moved to the young one, so what is in use stays.
//
// To look something up takes no lock, and writes nothing.
type cache struct {
	limit      int          // tokens of a generation
	seed       maphash.Seed // of the hash: nobody can choose tokens that collide
	mu         sync.Mutex   // held by who adds
	young, old atomic.Pointer[generation]
}

// newCache makes a cache of at most size tokens; none where that is less than
// one for each generation.
func newCache(size int) *cache {
	return &cache{limit: min(max(size, 0)/2, maxTokens), seed: maphash.MakeSeed()}
}

// get fills in the claims of a token, and reports whether it is remembered.
func (c *cache) get(t *text, claims *Claims) bool {
	hash := maphash.String(c.seed, t.hidden)
	if c.young.Load().get(hash, t, claims) {
		return true
	}
	if !c.old.Load().get(hash, t, claims) {
		return false
	}
	c.add(t, claims)
	return true
}

// add remembers an authenticated token.
func (c *cache) add(t *text, claims *Claims) {
	if c.limit == 0 {
		return
	}
	hash := maphash.String(c.seed, t.hidden)
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.young.Load()
	if _, known := g.find(hash, t); known || g.add(hash, t, claims) {
		return
	}
	next := newGeneration(c.limit)
	next.add(hash, t, claims)
	c.old.Store(g)
	c.young.Store(next)
}

// A text is a token in three parts, one after the other; a dot is between the
// first two. Of the hidden part the cache keeps a digest only, so who reads the
// memory can't make the token of it.
type text struct{ header, open, hidden string }

// textOf divides a token of that key.
func textOf(key *key, tok string) text {
	begin := len(key.header) + 1
	end := max(begin, len(tok)-key.hidden)
	return text{key.header, tok[begin:end], tok[end:]}
}

// A digest is the SHA-256 of a token's hidden part.
type digest [sha256.Size]byte

// digest hashes without an allocation for every signature of ours.
func (t *text) digest() digest {
	var short [hiddenLength]byte
	if len(t.hidden) <= len(short) {
		return sha256.Sum256(append(short[:0], t.hidden...))
	}
	var long [rsaLength]byte
	return sha256.Sum256(append(long[:0], t.hidden...))
}
