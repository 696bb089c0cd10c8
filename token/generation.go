package token

import (
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
)

// A generation is a hash table of entries, which are pieces of text in blocks.
// A million of them give the garbage collector nothing to follow but the blocks.
// What is written never changes, and an entry is complete before its slot tells
// of it, so readers need no lock. The nil generation is empty and full.
type generation struct {
	slots  []atomic.Uint64          // open addressing; zero is free
	blocks []atomic.Pointer[string] // what is written in each so far; they count from 1, so that no slot is zero
	lists  [maxLists][]string       // most tokens have the same, so each is here once

	// Of who adds:
	limit  int // of tokens
	tokens int
	listed int
	block  int             // the number of the present one
	text   strings.Builder // the present one
	size   int             // of all blocks
}

const (
	// blockSize is how much memory the text of one claim may keep.
	blockSize = 4 << 10

	// A generation has room for tokens of that size, on average. If they are
	// larger, it is full earlier.
	tokenRoom = 1 << 10

	maxTokens = 1 << 28
	maxLists  = 1 << 7
)

// A slot has some bits of the digest, the number of a block, and where in it the
// entry begins.
const (
	offsetBits = 12 // an entry begins within blockSize
	placeBits  = 40
)

func newGeneration(limit int) *generation {
	return &generation{
		slots:  make([]atomic.Uint64, 1<<bits.Len(uint(limit+limit/2))),
		blocks: make([]atomic.Pointer[string], 2+limit*tokenRoom/blockSize),
		limit:  limit,
	}
}

// get fills in the claims of a token, and reports whether it is here.
func (g *generation) get(id *digest, header, payload string, claims *Claims) bool {
	e, ok := g.find(id, header, payload)
	if ok {
		e.read(claims, &g.lists)
	}
	return ok
}

// find returns the entry of a token. The header, the payload and the digest of
// the signature must be the same.
func (g *generation) find(id *digest, header, payload string) (entry, bool) {
	if g == nil {
		return "", false
	}
	for h := id.hash(); ; h++ {
		slot := g.slot(h).Load()
		if slot == 0 {
			return "", false
		}
		if slot>>placeBits != id.hash()>>placeBits {
			continue
		}
		place := slot & (1<<placeBits - 1)
		e := entry((*g.blocks[place>>offsetBits].Load())[place&(1<<offsetBits-1):])
		if e.is(id, payload) && g.lists[e.header()][0] == header {
			return e, true
		}
	}
}

// add returns false where the generation is full. Called with the cache's mu held.
func (g *generation) add(id *digest, header, payload string, c *Claims) bool {
	if g == nil || g.tokens == g.limit {
		return false
	}
	e := newEntry{id: id, payload: payload, claims: c}
	for i, list := range [...][]string{{header}, {c.Issuer}, c.Audience, c.Methods} {
		n, ok := g.list(list)
		if !ok {
			return false
		}
		e.lists[i] = n
	}
	if n := e.size(); g.text.Len() >= blockSize || n > g.text.Cap()-g.text.Len() {
		n = max(n, blockSize)
		if g.block > 0 && g.size+n > g.limit*tokenRoom {
			return false
		}
		g.block++
		g.size += n
		g.text = strings.Builder{}
		g.text.Grow(n)
	}
	slot := id.hash()>>placeBits<<placeBits | uint64(g.block)<<offsetBits | uint64(g.text.Len())
	e.write(&g.text)
	written := g.text.String()
	g.blocks[g.block].Store(&written)

	h := id.hash()
	for g.slot(h).Load() != 0 {
		h++
	}
	g.slot(h).Store(slot)
	g.tokens++
	return true
}

func (g *generation) slot(hash uint64) *atomic.Uint64 {
	return &g.slots[hash&uint64(len(g.slots)-1)]
}

// list returns the number of a list, and false where there is no room for it.
func (g *generation) list(list []string) (byte, bool) {
	for i, known := range g.lists[:g.listed] {
		if slices.Equal(known, list) {
			return byte(i), true
		}
	}
	if g.listed == maxLists {
		return 0, false
	}
	own := slices.Clip(slices.Clone(list)) // callers share it, and may append
	for i := range own {
		own[i] = strings.Clone(own[i])
	}
	g.lists[g.listed] = own
	g.listed++
	return byte(g.listed - 1), true
}
