package redis

import (
	"context"
	"encoding/hex"
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
// A node whose last beat found another store is told so by ErrUnknownCursor,
// though its cursor may be the zero one: FLUSHALL has emptied the store since.
func (s *Store) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	node, expected := "", ""
	if b.Node != (store.NodeID{}) {
		node, expected = hex.EncodeToString(b.Node[:]), s.origin(b.Node)
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
	switch err {
	case store.ErrUnknownCursor:
		s.remember(b.Node, "")
	case store.ErrFull:
		err = fmt.Errorf("%w: %d nodes follow this store", err, store.MaxHolders)
	}
	return store.News{}, err
}

func (s *Store) origin(node store.NodeID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.origins[node]
}

// remember notes the origin that a node has seen; empty: none.
func (s *Store) remember(node store.NodeID, origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if origin == "" || len(s.origins) >= store.MaxHolders {
		delete(s.origins, node)
		return
	}
	s.origins[node] = origin
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
