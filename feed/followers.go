package feed

import (
	"sync"

	"github.com/counterfoil/counterfoil/store"
)

// maxFollowers bounds who may follow one node: their records, and their streams.
const maxFollowers = 4096

// followers are those who follow this node and may hold a lease of it.
//
// A node tells the store up to which position it, and everybody who follows it,
// refuses what has ended. LogoutEverywhere rests on that. It holds because:
//
//   - A follower's lease ends no later than bound after the node *asked* for the
//     proof that it comes from. For the follower counts from before it asked the
//     node, and takes off how old the proof was when the node answered. The
//     store has the node on record from that same proof on, for longer than a
//     bound lasts by any clock: so a node that ends, or comes back under another
//     id, is waited for as long as its followers' leases can last.
//   - While the node runs, a follower is on record here from before the entries
//     for its answer are read, until the longest that a lease can last after
//     that. If an acknowledgement is computed before it is on record, its answer
//     has all that was acknowledged, since the view only grows and a follower
//     must apply an answer whole before it relies on it. If after, its own
//     position counts.
//   - A position means something in one history of the log only. After the view
//     was built anew, what followers had before counts for nothing until they
//     have found their place again.
type followers struct {
	mu     sync.Mutex
	byID   map[store.NodeID]following
	wanted uint64 // somebody waits until all are as far as that; 0: nobody does
}

type following struct {
	history uint64
	pos     uint64  // has been applied, in that history
	until   instant // no lease of this follower can last longer
}

// note puts a follower on record. It returns false where there are too many,
// and whether with this one all have come as far as somebody waits for.
func (f *followers) note(id store.NodeID, now instant, to following) (ok, reached bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, known := f.byID[id]
	if !known && len(f.byID) >= maxFollowers {
		return false, false // acked removes those that are gone, at each beat
	}
	to.until = max(to.until, before.until)
	f.byID[id] = to
	if f.wanted == 0 || to.pos < f.wanted || before.history == to.history && before.pos >= f.wanted {
		return true, false
	}
	return true, f.all(now, to.history, f.wanted)
}

// all reports whether everybody has applied the log up to that position.
func (f *followers) all(now instant, history, pos uint64) bool {
	for _, other := range f.byID {
		if now < other.until && (other.history != history || other.pos < pos) {
			return false
		}
	}
	return true
}

// want notes that somebody waits until all have come as far as pos. It returns
// whether there is anybody to ask.
func (f *followers) want(pos uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.byID) == 0 {
		return false
	}
	f.wanted = max(f.wanted, pos)
	return true
}

// acked returns up to where all have applied the log, at most pos.
func (f *followers) acked(now instant, history, pos uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, other := range f.byID {
		switch {
		case now >= other.until:
			delete(f.byID, id)
		case other.history != history:
			pos = 0
		default:
			pos = min(pos, other.pos)
		}
	}
	if pos >= f.wanted {
		f.wanted = 0
	}
	return pos
}
