package redis

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

var (
	beatScript    = newScript("beat", ends)
	holdersScript = newScript("holders", reads)
	mergeScript   = newScript("merge", ends)
)

// Beat implements [store.Store]. It writes, and waits for the replicas as every
// write does: a primary that was deposed can't prove anything.
//
// A node whose last beat found another history of the store is told so by
// ErrUnknownCursor, though its cursor may be a place in this one as well:
// FLUSHALL has emptied the store since, or the primary is another one, or was
// started again. It may have lost a session that the node remembers, and then
// the end of that session would not come to the log.
func (s *Store) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	node, expected := "", ""
	if b.Node != (store.NodeID{}) {
		node, expected = hex.EncodeToString(b.Node[:]), s.history(b.Node)
	}
	limit := min(max(b.Limit, 0), store.MaxBatch)
	r, err := s.run(ctx, beatScript, node, number(store.Longest(b.Bound).Milliseconds()), position(min(b.Acked, b.After.Pos)),
		strconv.Itoa(limit), position(b.After.Pos), hex.EncodeToString(b.After.ID[:]), expected, strconv.Itoa(store.MaxHolders))
	if err == nil {
		news := r.news()
		if *r.err != nil {
			return store.News{}, beatScript.explain(*r.err)
		}
		s.remember(b.Node, r.text(5))
		return news, nil
	}
	switch {
	case errors.Is(err, store.ErrUnknownCursor):
		s.forget(b.Node)
	case errors.Is(err, store.ErrFull):
		err = fmt.Errorf("%w: %d nodes follow this store", err, store.MaxHolders)
	}
	return store.News{}, err
}

func (s *Store) history(node store.NodeID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.histories[node]
}

// remember notes the history that a node has seen. A process has one node, or a
// few: if there are more than any store takes, all but this are forgotten.
func (s *Store) remember(node store.NodeID, history string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.histories) >= store.MaxHolders {
		clear(s.histories)
	}
	s.histories[node] = history
}

// forget has the node's next beat accept whatever store it finds: the node
// knows that it must start anew.
func (s *Store) forget(node store.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.histories, node)
}

// Holders implements [store.Store].
func (s *Store) Holders(ctx context.Context) ([]store.Holder, time.Time, error) {
	r, err := s.run(ctx, holdersScript)
	if err != nil {
		return nil, time.Time{}, err
	}
	now := fromMillis(r.int(1))
	var holders []store.Holder
	all := r.list(2)
	for i := 0; i+1 < len(all.values); i += 2 {
		if h := all.holder(i); h.Until.After(now) {
			holders = append(holders, h)
		}
	}
	return holders, now, *r.err
}

// holder reads a node's id, and in the element after it how far it is and until
// when it may answer.
func (r reply) holder(i int) (h store.Holder) {
	h.Node = r.entryID(i)
	acked, until, _ := strings.Cut(r.text(i+1), " ")
	var err error
	if h.Acked, err = strconv.ParseUint(acked, 10, 64); err != nil {
		r.fail(i+1, err)
	}
	ms, err := strconv.ParseInt(until, 10, 64)
	if err != nil {
		r.fail(i+1, err)
	}
	h.Until = fromMillis(ms)
	return h
}

// mergeBatch is how many entries one script adds.
const mergeBatch = 256

// Merge implements [store.Store]. It is several transactions: what fails on the
// way has added a part.
func (s *Store) Merge(ctx context.Context, entries []store.Entry) error {
	if len(entries) > store.MaxBatch {
		return fmt.Errorf("%w: at most %d entries at once", store.ErrTooLarge, store.MaxBatch)
	}
	return batches(entries, mergeBatch, func(some []store.Entry) error {
		var args []string
		for _, e := range some {
			args = append(args, strconv.Itoa(int(e.Kind)), e.Session.String(), number(e.Expires.Add(time.Millisecond-1).UnixMilli()))
		}
		_, err := s.run(ctx, mergeScript, args...)
		return err
	})
}
