package feed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A relay lets verifiers follow a node: it answers from the node's view.
type relay struct {
	up *simNode

	mu   sync.Mutex
	held map[store.NodeID]relayHeld
}

type relayHeld struct {
	history uint64 // in which it has acknowledged; in another that means nothing
	acked   uint64
	until   time.Time
}

// beat answers with what the node knows and how old that is. The verifier is on
// record before it gets an answer, as in the store.
func (r *relay) beat(b store.Beat) (store.News, time.Duration, error) {
	r.up.awake()
	if !r.hold(b) {
		return store.News{}, 0, store.ErrUnknownCursor
	}
	age, ok := r.up.view.proof()
	if !ok {
		return store.News{}, 0, errors.New("the node has no proof itself")
	}
	r.up.awake()
	news, err := r.follow(b.After, b.Limit)
	return news, age, err
}

func (r *relay) hold(b store.Beat) bool {
	v := r.up.view
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.synced || !v.recent.has(b.After) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[b.Node] = relayHeld{v.history, b.Acked, time.Now().Add(store.Longest(b.Bound))}
	return true
}

func (r *relay) follow(after store.Cursor, limit int) (store.News, error) {
	entries, head, _, known := r.up.view.since(after, limit)
	if !known {
		return store.News{}, store.ErrUnknownCursor
	}
	return store.News{Entries: entries, Head: head, Now: r.up.view.Now()}, nil
}

// acked is the position that all verifiers have acknowledged that may hold a
// lease.
func (r *relay) acked(pos uint64) uint64 {
	history, _, _ := r.up.view.place()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.held {
		switch {
		case !h.until.After(time.Now()):
		case h.history != history:
			return 0
		default:
			pos = min(pos, h.acked)
		}
	}
	return pos
}

// A relayed is a Source: the relay as a verifier sees it over its link.
type relayed struct {
	link  *link
	relay *relay
}

func (r relayed) Beat(ctx context.Context, b store.Beat) (store.News, time.Duration, error) {
	type answer struct {
		news store.News
		age  time.Duration
	}
	a, err := call(ctx, r.link, func() (answer, error) {
		news, age, err := r.relay.beat(b)
		return answer{news, age}, err
	})
	return a.news, a.age, err
}

func (r relayed) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	return call(ctx, r.link, func() (store.News, error) { return r.relay.follow(after, limit) })
}

func (r relayed) Snapshot(ctx context.Context) (store.News, error) {
	return call(ctx, r.link, func() (store.News, error) {
		head, entries, ok := r.relay.up.view.snapshot()
		if !ok {
			return store.News{}, errors.New("the node has no snapshot itself")
		}
		return store.News{Entries: entries, Head: head, Now: r.relay.up.view.Now()}, nil
	})
}

func (r relayed) Merge(ctx context.Context, entries []store.Entry) error {
	_, err := call(ctx, r.link, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.Background(), simBound)
		defer cancel()
		return struct{}{}, r.relay.up.remote.Merge(ctx, entries)
	})
	return err
}

// Watch hands over entries with its hints.
func (r relayed) Watch(ctx context.Context, hint HintFunc) error {
	_, at, _ := r.relay.up.view.place()
	for {
		entries, head, changed, known := r.relay.up.view.since(at, 100)
		if !known {
			entries = nil
		}
		after := at
		if at = head; len(entries) > 0 {
			at = entries[len(entries)-1].Cursor
		}
		if r.link.hint() {
			hint(store.LogGrew, after, entries)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
