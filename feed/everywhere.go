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
// It rests on the store's clock, besides this process's own: one that is set
// forward between a beat and here shortens the wait for that node.
//
// Call it after the end was committed. It goes on when ctx ends: what it
// promises is only true at its end.
func Everywhere(ctx context.Context, s store.Store, pos uint64, bound time.Duration) {
	c := newClock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), store.Longest(bound))
	defer cancel()
	_ = s.Nudge(ctx) // a hint: without it the acknowledgements come with the beats

	// The first answer decides for whom to wait, and until when: whoever begins
	// a lease after it has seen the end, since the beat and the end are ordered.
	var waitFor map[store.NodeID]instant
	wait := time.Millisecond / 4
	for {
		holders, now, err := s.Holders(ctx)
		if err == nil && waitFor == nil {
			waitFor = map[store.NodeID]instant{}
			answered := c.now()
			for _, h := range holders {
				waitFor[h.Node] = answered + h.Until.Sub(now)
			}
		}
		if err == nil {
			for _, h := range holders {
				if h.Acked >= pos {
					delete(waitFor, h.Node)
				}
			}
		}
		t := c.now()
		for node, until := range waitFor {
			if t >= until {
				delete(waitFor, node)
			}
		}
		if waitFor != nil && len(waitFor) == 0 {
			return
		}
		if waitFor == nil && t >= store.Longest(bound) {
			return
		}
		for _, until := range waitFor {
			wait = min(wait, max(until-t, time.Millisecond/4))
		}
		pause(context.WithoutCancel(ctx), wait)
		wait = min(wait*2, 20*time.Millisecond)
	}
}
