package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/internal/merge"
)

// Beat implements [store.Store]. There are no replicas, so it proves what it
// reads.
func (s *Store) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	if err := s.begin(ctx); err != nil {
		return store.News{}, err
	}
	defer s.mu.Unlock()
	news, err := s.follow(b.After, b.Limit)
	if err != nil || b.Node == (store.NodeID{}) {
		return news, err
	}
	maps.DeleteFunc(s.holders, func(_ store.NodeID, h store.Holder) bool { return !h.Until.After(news.Now) })
	before, known := s.holders[b.Node]
	if !known && len(s.holders) >= store.MaxHolders {
		return store.News{}, fmt.Errorf("%w: %d nodes follow this store", store.ErrFull, len(s.holders))
	}
	h := store.Holder{Node: b.Node, Acked: min(b.Acked, b.After.Pos), Until: news.Now.Add(store.Longest(b.Bound))}
	if before.Until.After(h.Until) {
		h.Until = before.Until // what it was allowed then it still is
	}
	s.holders[b.Node] = h
	return news, nil
}

// Holders implements [store.Store].
func (s *Store) Holders(ctx context.Context) ([]store.Holder, time.Time, error) {
	if err := s.beginRead(ctx); err != nil {
		return nil, time.Time{}, err
	}
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.holders)), s.clock.Now(), nil
}

// Watch implements [store.Store].
func (s *Store) Watch(ctx context.Context, hint func(store.Hint)) error {
	if err := s.beginRead(ctx); err != nil {
		return err
	}
	s.mu.RUnlock()
	return s.watchers.Watch(ctx, hint)
}

// Nudge implements [store.Store].
func (s *Store) Nudge(ctx context.Context) error {
	if err := s.beginRead(ctx); err != nil {
		return err
	}
	s.mu.RUnlock()
	s.watchers.Send(store.BeatNow)
	return nil
}

// Merge implements [store.Store].
func (s *Store) Merge(ctx context.Context, entries []store.Entry) error {
	if len(entries) > store.MaxBatch {
		return fmt.Errorf("%w: at most %d entries at once", store.ErrTooLarge, store.MaxBatch)
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.guards.Lock()
	defer s.guards.Unlock()
	now := s.clock.Now()
	for _, e := range s.missing(entries, now) {
		if e.Kind == store.AllEnded {
			s.endAll(e.Expires)
		} else if i, err := s.live(e.Session, now); err == nil {
			s.sessions.remove(i)
		}
		s.append(e.Kind, e.Session, e.Expires)
	}
	return nil
}

// missing returns what the log lacks of the entries.
func (s *Store) missing(entries []store.Entry, now time.Time) []store.Entry {
	return merge.Missing(entries, now, func(yield func(store.Kind, store.SID) bool) {
		for i := range s.log.count {
			if e := s.log.at(i); e.expires > now.UnixMilli() && !yield(e.kind, e.session) {
				return
			}
		}
	})
}
