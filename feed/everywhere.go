package feed

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Everywhere returns when no process accepts any more what ended up to a
// position of the log: when every node that may answer from memory has
// acknowledged it, or its lease has certainly ended. That takes
// store.Longest(bound) at most, where bound is the longest of all nodes: then no
// lease from before the end is left. A node whose bound is longer is waited for
// as long as the store tells; while the store can't tell, nobody knows of it. A
// store that tells late, and only then of a node that goes on without
// acknowledging, can make it twice as long.
//
// The view is the caller's. If the store does not know its place in the log any
// more, or if it was built anew not long ago, the store has lost its history, and
// with that perhaps its nodes: then the whole time is waited for.
//
// It rests on the store's clock, besides this process's own, in one way: a node
// that the store leaves out, since by its clock the node's lease is over, is not
// waited for.
//
// Call it after the end was committed. It goes on when ctx ends: what it
// promises is only true at its end.
func Everywhere(ctx context.Context, s store.Store, v *View, pos uint64) {
	w := waiting{clock: newClock(), pos: pos, bound: store.Longest(v.config.Bound)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.bound)
	defer cancel()
	_ = s.Nudge(ctx) // a hint: without it the acknowledgements come with the beats
	wait := time.Millisecond / 4
	for {
		if holders, now, err := s.Holders(ctx); err == nil {
			w.heard(holders, now)
		}
		left := w.left()
		if left <= 0 {
			break
		}
		pause(context.WithoutCancel(ctx), min(wait, max(left, time.Millisecond/4)))
		wait = min(wait*2, 20*time.Millisecond)
	}
	// Asked last: the history in which the nodes were told is still there.
	if !v.keepsPlace(ctx, s) {
		pause(context.WithoutCancel(ctx), w.bound-w.clock.now())
	}
}

// keepsPlace reports whether the store has the history that the view follows,
// and has had it since before any lease that could last.
func (v *View) keepsPlace(ctx context.Context, s store.Store) bool {
	v.mu.Lock()
	cursor, synced, age := v.cursor, v.synced, v.clock.now()-v.begun
	v.mu.Unlock()
	if !synced {
		return true // checks don't rest on a view: the store is asked
	}
	if age < store.Longest(v.config.Bound) {
		return false
	}
	_, err := s.Follow(ctx, cursor, 1)
	return err == nil
}

// waiting is for whom Everywhere waits. Its clock begins with the call.
type waiting struct {
	clock *clock
	pos   uint64
	bound time.Duration
	nodes map[store.NodeID]instant // until when their leases may last; nil: not known yet
}

// heard takes an answer. The first decides for whom to wait, and until when:
// whoever begins a lease after it has seen the end, since the beat and the end
// are ordered.
func (w *waiting) heard(holders []store.Holder, now time.Time) {
	if w.nodes == nil {
		w.nodes = map[store.NodeID]instant{}
		answered := w.clock.now()
		for _, h := range holders {
			w.nodes[h.Node] = max(w.bound, answered+h.Until.Sub(now))
		}
	}
	for _, h := range holders {
		if h.Acked >= w.pos {
			delete(w.nodes, h.Node)
		}
	}
}

// left is how long to wait at most for the next of them; zero: for nobody.
func (w *waiting) left() time.Duration {
	t := w.clock.now()
	if w.nodes == nil {
		return w.bound - t
	}
	least := time.Duration(0)
	for node, until := range w.nodes {
		if t >= until {
			delete(w.nodes, node)
		} else if least == 0 || until-t < least {
			least = until - t
		}
	}
	return least
}
