package storetest

import (
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// bound is long enough that no lease ends in a rule that does not wait for it,
// and that the error of clocks, 200 ms, shows.
const bound = 100 * time.Second

// proof is the beat of a node that has applied the log up to a place, and
// refuses what has ended there.
func proof(node store.NodeID, at store.Cursor) store.Beat {
	return store.Beat{Node: node, Bound: bound, After: at, Acked: at.Pos, Limit: store.MaxBatch}
}

func (k *kit) beat(b store.Beat) store.News {
	k.t.Helper()
	news, err := k.store.Beat(k.t.Context(), b)
	k.ok(err)
	return news
}

// holders returns who may answer from memory, and the store's time. No node is
// named twice, and none of them is zero.
func (k *kit) holders() (map[store.NodeID]store.Holder, time.Time) {
	k.t.Helper()
	list, now, err := k.store.Holders(k.t.Context())
	k.ok(err)
	holders := map[store.NodeID]store.Holder{}
	for _, h := range list {
		if _, twice := holders[h.Node]; twice || h.Node == (store.NodeID{}) {
			k.t.Fatalf("node %x is named twice, or is zero, in %+v", h.Node, list)
		}
		holders[h.Node] = h
	}
	return holders, now
}

// holder returns a node that should be on record.
func (k *kit) holder(node store.NodeID) store.Holder {
	k.t.Helper()
	holders, _ := k.holders()
	h, ok := holders[node]
	if !ok {
		k.t.Fatalf("node %x is not among the holders %v", node, holders)
	}
	return h
}

// holds checks which nodes are on record.
func (k *kit) holds(want ...store.NodeID) {
	k.t.Helper()
	holders, _ := k.holders()
	if len(holders) != len(want) {
		k.t.Fatalf("%d holders, want %d", len(holders), len(want))
	}
	for _, node := range want {
		if _, ok := holders[node]; !ok {
			k.t.Fatalf("node %x is not among the holders", node)
		}
	}
}

var beatRules = []rule{
	{name: "news", why: "Beat returns what Follow returns, with the head as it is after that.", check: func(k *kit) {
		node := store.NewNodeID()
		if news := k.beat(proof(node, store.Cursor{})); len(news.Entries) != 0 || news.Head != (store.Cursor{}) || news.Now.IsZero() {
			k.t.Errorf("of an empty log: got %+v", news)
		}
		var heads []store.Cursor
		for range 5 {
			heads = append(heads, k.end(k.createFor("john").ID).Head)
		}
		for _, after := range append([]store.Cursor{{}}, heads...) {
			got, want := k.beat(proof(node, after)), k.follow(after)
			if !slices.Equal(got.Entries, want.Entries) || got.Head != want.Head || got.Now.After(want.Now) {
				k.t.Errorf("after %d: got %+v, Follow says %+v", after.Pos, got, want)
			}
		}
	}},
	{name: "limit", why: "Limit bounds the entries of the answer. At most MaxBatch. The head is the log's, whatever the limit.", check: func(k *kit) {
		for range 5 {
			k.end(k.createFor("john").ID)
		}
		for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 4: 4, 5: 5, 6: 5, store.MaxBatch + 1: 5} {
			b := proof(store.NewNodeID(), store.Cursor{})
			b.Limit = limit
			if news := k.beat(b); len(news.Entries) != want || news.Head.Pos != 5 {
				k.t.Errorf("limit %d: %d entries, head %d, want %d, 5", limit, len(news.Entries), news.Head.Pos, want)
			}
			k.holder(b.Node)
		}
	}},
	{name: "no entry", why: "Beat puts the node on record; it ends nothing, so it appends nothing to the log.", check: func(k *kit) {
		s := k.createFor("john")
		head := k.end(k.createFor("john").ID).Head
		for range 3 {
			if news := k.beat(proof(store.NewNodeID(), head)); len(news.Entries) != 0 || news.Head != head {
				k.t.Errorf("at the head %v: got %+v", head, news)
			}
		}
		k.isLive(s.ID)
	}},
	{name: "on record", why: "Beat puts the node on record as one that may answer from memory. Holders returns the nodes that may, and the store's time.", check: func(k *kit) {
		k.holds()
		a, b := store.NewNodeID(), store.NewNodeID()
		k.beat(proof(a, store.Cursor{}))
		k.holds(a)
		news := k.beat(proof(b, store.Cursor{}))
		k.holds(a, b)
		k.beat(proof(a, store.Cursor{}))
		k.holds(a, b)
		if _, now := k.holders(); now.Before(news.Now) {
			k.t.Errorf("the store's time is %v, a beat before it says %v", now, news.Now)
		}
	}},
	{name: "only by a beat", why: "Holders returns the nodes that may answer from memory, as their latest beats told: reading the log is no beat.", check: func(k *kit) {
		k.follow(store.Cursor{})
		_, err := k.store.Snapshot(k.t.Context())
		k.ok(err)
		k.holds()
	}},
	{name: "nobody", why: "The zero NodeID is not put on record.", check: func(k *kit) {
		head := k.end(k.createFor("john").ID).Head
		if news := k.beat(proof(store.NodeID{}, store.Cursor{})); len(news.Entries) != 1 || news.Head != head {
			k.t.Errorf("got %+v, want the log's entry", news)
		}
		k.holds()
	}},
	{name: "acked", why: "Acked: the position up to which the node, and everybody who follows it, refuses what has ended.", check: func(k *kit) {
		a, b := store.NewNodeID(), store.NewNodeID()
		start := k.end(k.createFor("john").ID).Head
		k.beat(proof(a, start))
		k.beat(proof(b, start))
		head := k.end(k.createFor("john").ID).Head
		for _, node := range []store.NodeID{a, b} {
			if got := k.holder(node).Acked; got != start.Pos {
				k.t.Errorf("an end moved what a node acknowledged from %d to %d", start.Pos, got)
			}
		}
		behind := proof(a, head)
		behind.Acked = start.Pos // those who follow it are not there yet
		k.beat(behind)
		if got := k.holder(a).Acked; got != start.Pos {
			k.t.Errorf("after a beat that acknowledged %d Acked is %d", start.Pos, got)
		}
		k.beat(proof(a, head))
		if got := k.holder(a).Acked; got != head.Pos {
			k.t.Errorf("after a beat that acknowledged %d Acked is %d", head.Pos, got)
		}
		if got := k.holder(b).Acked; got != start.Pos {
			k.t.Errorf("the beat of another node moved Acked from %d to %d", start.Pos, got)
		}
	}},
	{name: "acked too much", why: "Acked … at most After.Pos: a node can't refuse what it has not heard of.", check: func(k *kit) {
		start := k.end(k.createFor("john").ID).Head
		k.end(k.createFor("john").ID)
		for _, acked := range []uint64{2, 3, 1 << 63, ^uint64(0)} {
			b := proof(store.NewNodeID(), start)
			b.Acked = acked
			k.beat(b)
			if got := k.holder(b.Node).Acked; got != start.Pos {
				k.t.Errorf("a node that has applied %d and acknowledges %d has Acked %d", start.Pos, acked, got)
			}
		}
	}},
	{name: "unknown place", why: "Errors: as Follow. Then the node is not put on record.", check: func(k *kit) {
		head := k.end(k.createFor("john").ID).Head
		for _, bad := range []store.Cursor{
			{Pos: head.Pos, ID: digestID()},
			{Pos: head.Pos},
			{Pos: head.Pos + 1, ID: head.ID},
			{Pos: ^uint64(0), ID: head.ID},
			{Pos: 1 << 63, ID: head.ID},
			{ID: digestID()},
		} {
			news, err := k.store.Beat(k.t.Context(), proof(store.NewNodeID(), bad))
			k.refuses(err, store.ErrUnknownCursor)
			if len(news.Entries) != 0 || news.Head != (store.Cursor{}) {
				k.t.Errorf("beside the error: %+v", news)
			}
		}
		k.holds()
	}},
	{name: "unknown place later", why: "What an earlier beat put on record stays, since the lease that it earned still runs.", check: func(k *kit) {
		node := store.NewNodeID()
		k.beat(proof(node, store.Cursor{}))
		before := k.holder(node)
		k.end(k.createFor("john").ID)
		_, err := k.store.Beat(k.t.Context(), proof(node, store.Cursor{Pos: 1, ID: digestID()}))
		k.refuses(err, store.ErrUnknownCursor)
		if after := k.holder(node); after.Acked != before.Acked || after.Until.Before(before.Until) {
			k.t.Errorf("the holder was %+v, now it is %+v", before, after)
		}
	}},
	{name: "until", why: "Until, by the store's clock: a beat, and its bound with the error of clocks.", timed: true, check: func(k *kit) {
		node := store.NewNodeID()
		for range 3 {
			_, before := k.holders()
			k.beat(proof(node, store.Cursor{}))
			until := k.holder(node).Until
			_, after := k.holders()
			earliest := before.Add(store.Longest(bound) - time.Millisecond) // times are cut to one
			latest := after.Add(store.Longest(bound) + time.Millisecond)
			if until.Before(earliest) || until.After(latest) {
				k.t.Errorf("a beat between %v and %v with the bound %v holds until %v", before, after, bound, until)
			}
			k.wait(2)
		}
	}},
	{name: "until stays", why: "Until … of all its beats the latest: a shorter bound does not end a lease that still runs.", check: func(k *kit) {
		b := proof(store.NewNodeID(), store.Cursor{})
		k.beat(b)
		first := k.holder(b.Node).Until
		b.Bound = time.Millisecond
		k.beat(b)
		if second := k.holder(b.Node).Until; second.Before(first) {
			k.t.Errorf("it held until %v, after a beat with a shorter bound until %v", first, second)
		}
	}},
	{name: "run out", why: "Those whose Until has passed may be left out; no others. A node that comes back is on record again.", timed: true, check: func(k *kit) {
		short, long := proof(store.NewNodeID(), store.Cursor{}), proof(store.NewNodeID(), store.Cursor{})
		short.Bound = k.ticks(2)
		k.beat(short)
		k.beat(long)
		until := k.holder(short.Node).Until
		k.wait(1)
		if holders, now := k.holders(); now.Before(until) && !holders[short.Node].Until.Equal(until) {
			k.t.Errorf("at %v the node that may answer until %v is %+v", now, until, holders[short.Node])
		}
		k.wait(3)
		holders, now := k.holders()
		if h, ok := holders[short.Node]; ok && h.Until.After(now) {
			k.t.Errorf("at %v a node that held until %v holds until %v", now, until, h.Until)
		}
		if _, ok := holders[long.Node]; !ok {
			k.t.Error("the other node is gone, too")
		}
		k.beat(short)
		if h := k.holder(short.Node); !h.Until.After(now) {
			k.t.Errorf("at %v a node that has come back holds until %v", now, h.Until)
		}
	}},
	{name: "purge", why: "Purge removes expired sessions and log entries: whoever may answer from memory stays on record.", check: func(k *kit) {
		node := store.NewNodeID()
		k.beat(proof(node, store.Cursor{}))
		_, err := k.store.Purge(k.t.Context(), 1000)
		k.ok(err)
		k.holds(node)
	}},
	{name: "in a race", why: "Beat puts the node on record, and returns … the head as it is after that. Whatever appends to the log later sees the node in Holders.", check: checkBeatRace},
	{name: "too many", why: "ErrFull where MaxHolders others are on record. One more is refused, not left out of Holders: nobody would wait for it.", timed: true, check: func(k *kit) {
		nodes := make([]store.NodeID, store.MaxHolders)
		parallel(64, func(worker int) {
			for i := worker; i < len(nodes); i += 64 {
				nodes[i] = store.NewNodeID()
				if _, err := k.store.Beat(k.t.Context(), proof(nodes[i], store.Cursor{})); err != nil {
					k.t.Errorf("node %d: %v", i, err)
					return
				}
			}
		})
		k.holds(nodes...)
		_, err := k.store.Beat(k.t.Context(), proof(store.NewNodeID(), store.Cursor{}))
		k.refuses(err, store.ErrFull)
		k.beat(proof(nodes[0], store.Cursor{}))
		k.beat(proof(store.NodeID{}, store.Cursor{}))
		k.holds(nodes...)
		if k.pace == nil { // waiting costs nothing
			k.wait(int(bound/k.tick) + 2)
			k.beat(proof(store.NewNodeID(), store.Cursor{}))
		}
	}},
}

// checkBeatRace lets a node beat while a session ends, and looks for one that
// believes to be up to date without that end, and that whoever made the end did
// not see. It goes on for a while: how much that is depends on the store.
func checkBeatRace(k *kit) {
	started := time.Now()
	for round := 0; round < 20 || round < 1000 && time.Since(started) < time.Second/2; round++ {
		node, id := store.NewNodeID(), k.createFor("john").ID
		var news store.News
		var ended store.Ended
		var holders []store.Holder
		parallel(2, func(i int) {
			ctx := k.t.Context()
			var err error
			if i == round%2 { // neither is always the first to run
				news, err = k.store.Beat(ctx, store.Beat{Node: node, Bound: bound})
			} else if ended, err = k.store.End(ctx, id, retain); err == nil {
				holders, _, err = k.store.Holders(ctx)
			}
			if err != nil {
				k.t.Errorf("Beat, End or Holders: %v", err)
			}
		})
		seen := slices.ContainsFunc(holders, func(h store.Holder) bool { return h.Node == node })
		if news.Head.Pos < ended.Head.Pos && !seen {
			k.t.Fatalf("a beat returned the head %d; after the end at %d its node was not among the holders", news.Head.Pos, ended.Head.Pos)
		}
	}
}
