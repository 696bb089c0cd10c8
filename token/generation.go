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
	slots   []atomic.Uint64       // open addressing; zero is free
	blocks  []string              // the full ones; they count from 1, so that no slot is zero
	present atomic.Pointer[block] // the one after them, as far as it is written
	lists   [maxLists][]string    // most tokens have the same, so each is here once

	// Of who adds:
	limit     int // of tokens
	blockSize int // at least
	tokens    int
	listed    int
	text      strings.Builder // of the present block
	size      int             // of all blocks
}

// A block is text of many entries, and its number.
type block struct {
	number int
	text   string
}

const (
	// A block is how much memory the text of one claim may keep: so it is small.
	// It is larger where there would else be more than fewBlocks, so that a
	// processor's cache holds the table of them: a check waits for one look at
	// memory less.
	minBlock  = 4 << 10
	maxBlock  = 64 << 10
	fewBlocks = 16 << 10

	// A generation has room for tokens of that size, on average. If they are
	// larger, it is full earlier.
	tokenRoom = 1 << 10

	maxTokens = 1 << 28
	maxLists  = 1 << 7
)

// A slot has some bits of the hash, the number of a block, and where in it the
// entry begins.
const (
	offsetBits = 16 // an entry begins within maxBlock
	placeBits  = 40
)

func newGeneration(limit int) *generation {
	size := min(max(minBlock, limit*tokenRoom/fewBlocks), maxBlock)
	g := &generation{
		slots:     make([]atomic.Uint64, 1<<bits.Len(uint(limit+limit/2))),
		blocks:    make([]string, 2+limit*tokenRoom/size),
		limit:     limit,
		blockSize: size,
	}
	g.present.Store(&block{})
	return g
}

// get fills in the claims of a token, and reports whether it is here.
func (g *generation) get(hash uint64, t *text, claims *Claims) bool {
	e, ok := g.find(hash, t)
	if ok {
		e.read(claims, &g.lists)
	}
	return ok
}

// find returns the entry of a token. All parts must be the same.
func (g *generation) find(hash uint64, t *text) (entry, bool) {
	if g == nil {
		return "", false
	}
	slot := g.slot(hash).Load()
	if slot == 0 {
		return "", false
	}
	// Here, while the slot may be on its way from memory: then nothing stands
	// between the entry's parts, so that they come at the same time.
	id := t.digest()
	for h := hash + 1; slot != 0; h++ {
		if slot>>placeBits == hash>>placeBits {
			if e := g.at(slot & (1<<placeBits - 1)); e.is(t, &id) && g.lists[e.header()][0] == t.header {
				return e, true
			}
		}
		slot = g.slot(h).Load()
	}
	return "", false
}

// at returns what begins at a place of which a slot has told.
func (g *generation) at(place uint64) entry {
	n, offset := int(place>>offsetBits), place&(1<<offsetBits-1)
	if b := g.present.Load(); b.number == n {
		return entry(b.text[offset:])
	}
	return entry(g.blocks[n][offset:]) // which was written before the next one became present
}

// add returns false where the generation is full. Called with the cache's mu held.
func (g *generation) add(hash uint64, t *text, c *Claims) bool {
	if g == nil || g.tokens == g.limit {
		return false
	}
	e := newEntry{text: t, claims: c}
	for i, list := range [...][]string{{t.header}, {c.Issuer}, c.Audience, c.Methods} {
		n, ok := g.list(list)
		if !ok {
			return false
		}
		e.lists[i] = n
	}
	number := g.present.Load().number
	if n := e.size(); g.text.Len() >= g.blockSize || n > g.text.Cap()-g.text.Len() {
		n = max(n, g.blockSize)
		if number > 0 && g.size+n > g.limit*tokenRoom {
			return false
		}
		g.blocks[number] = g.text.String()
		number++
		g.size += n
		g.text = strings.Builder{}
		g.text.Grow(n)
	}
	slot := hash>>placeBits<<placeBits | uint64(number)<<offsetBits | uint64(g.text.Len())
	e.write(&g.text)
	g.present.Store(&block{number, g.text.String()})

	for g.slot(hash).Load() != 0 {
		hash++
	}
	g.slot(hash).Store(slot)
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
