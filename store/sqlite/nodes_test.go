package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

const bound = 2 * time.Second

// twoProcesses are two stores on one file: what they know of each other stands
// in it.
func twoProcesses(t *testing.T) (ours, theirs *Store) {
	path := filepath.Join(t.TempDir(), "test.db")
	return openAt(t, path, Config{}), openAt(t, path, Config{})
}

func beat(t *testing.T, s *Store, node store.NodeID, bound time.Duration) store.News {
	t.Helper()
	news, err := s.Beat(t.Context(), store.Beat{Node: node, Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	return news
}

// holder returns what the store says of a node, and its time.
func holder(t *testing.T, s *Store, node store.NodeID) (h store.Holder, ok bool, now time.Time) {
	t.Helper()
	all, now, err := s.Holders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.Node == node {
			return one, true, now
		}
	}
	return store.Holder{}, false, now
}

// A node that asks another process is among the holders from its first beat on.
// It may have asked just now, and what it acknowledged is not known.
func TestHolderOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := twoProcesses(t)
		node := store.NewNodeID()
		if _, ok, _ := holder(t, ours, node); ok {
			t.Fatal("it is there before its first beat")
		}
		beat(t, theirs, node, bound)
		for range 100 { // it goes on beating
			h, ok, now := holder(t, ours, node)
			if want := now.Add(store.Longest(bound)); !ok || h.Acked != 0 || h.Until.Before(want.Add(-time.Millisecond)) || h.Until.After(want) {
				t.Fatalf("at %v: %v, %+v, want it until %v", now, ok, h, want)
			}
			time.Sleep(7 * time.Second)
			beat(t, theirs, node, bound)
		}
		beat(t, theirs, node, 10*bound)
		if h, _, now := holder(t, ours, node); h.Until.Before(now.Add(10 * bound)) {
			t.Errorf("at %v, after a beat with a longer bound: until %v", now, h.Until)
		}
		beat(t, theirs, node, bound)
		if h, _, now := holder(t, ours, node); h.Until.Before(now.Add(9 * bound)) {
			t.Errorf("at %v, after a shorter one that follows at once: until %v", now, h.Until)
		}
		time.Sleep(term(10*bound) + time.Second)
		if h, ok, now := holder(t, ours, node); ok {
			t.Errorf("at %v, long after its last beat: %+v", now, h)
		}
	})
}

// "Whatever appends to the log later sees the node in Holders": in another
// process, too.
func TestBeatsRaceEndsOfAnotherProcess(t *testing.T) {
	ours, theirs := twoProcesses(t)
	for range 50 {
		node, id := store.NewNodeID(), mustCreate(t, ours, login(1))
		heads := make(chan uint64, 1)
		go func() {
			news, err := theirs.Beat(t.Context(), store.Beat{Node: node, Bound: time.Minute})
			if err != nil {
				t.Error(err)
			}
			heads <- news.Head.Pos
		}()
		ended, err := ours.End(t.Context(), id, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		_, seen, _ := holder(t, ours, node)
		if head := <-heads; head < ended.Head.Pos && !seen {
			t.Fatalf("a beat returned the head %d; after the end at %d its node was not among the holders", head, ended.Head.Pos)
		}
	}
}

// A store that is closed leaves word how long its nodes may go on.
func TestClosedProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := twoProcesses(t)
		node, past := store.NewNodeID(), store.NewNodeID()
		beat(t, theirs, past, bound)
		time.Sleep(time.Minute)
		beat(t, theirs, node, bound)
		exactly, _, _ := holder(t, theirs, node)
		if err := theirs.Close(); err != nil {
			t.Fatal(err)
		}
		if h, ok, _ := holder(t, ours, past); ok {
			t.Errorf("one whose time had passed: %+v", h)
		}
		h, ok, _ := holder(t, ours, node)
		if early := exactly.Until.Sub(h.Until); !ok || early > 0 || early < -time.Millisecond {
			t.Errorf("after the close: %v, %+v, want it until %v", ok, h, exactly.Until)
		}
		time.Sleep(store.Longest(bound) + time.Millisecond)
		if h, ok, _ := holder(t, ours, node); ok {
			t.Errorf("after its time has passed: %+v", h)
		}
	})
}

// Rows that processes left which were killed take nobody's place once they have
// run out, and until then they do: their nodes may still answer.
func TestRoomForNode(t *testing.T) {
	for _, tt := range []struct {
		name string
		left time.Duration // for which the rows are good
		want error
		rows int64 // afterwards
	}{
		{"they hold", time.Minute, store.ErrFull, store.MaxHolders},
		{"they have run out", -time.Millisecond, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openTest(t, Config{})
			if _, err := write(t.Context(), s, func(t *tx) (int, error) {
				return t.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?1)
					INSERT INTO node SELECT randomblob(16), 1000, ?2 FROM n`, store.MaxHolders, t.now.Add(tt.left))
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Beat(t.Context(), store.Beat{Node: store.NewNodeID(), Bound: bound}); !errors.Is(err, tt.want) {
				t.Errorf("a beat: error %v, want %v", err, tt.want)
			}
			s.pause(func(c *conn) {
				if rows, err := c.integer(`SELECT count(*) FROM node`); err != nil || rows != tt.rows {
					t.Errorf("%d rows, error %v; want %d", rows, err, tt.rows)
				}
			})
		})
	}
}

// An idle server does not write to the disk with every beat.
func TestBeatsSeldomWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Config{})
		commits := countCommits(s)
		node := store.NewNodeID()
		const minutes = 10
		for range minutes * time.Minute / (bound / 5) {
			beat(t, s, node, bound)
			time.Sleep(bound / 5)
		}
		if got := commits.Load(); got > minutes+1 {
			t.Errorf("the beats of %d minutes took %d commits", minutes, got)
		}
	})
}

// A beat from an unknown place writes nothing either.
func TestUnknownPlaceWritesNothing(t *testing.T) {
	s := openTest(t, Config{})
	commits := countCommits(s)
	for range 3 {
		if _, err := s.Beat(t.Context(), store.Beat{Node: store.NewNodeID(), After: store.Cursor{Pos: 1}}); err == nil {
			t.Error("no error")
		}
	}
	if got := commits.Load(); got != 0 {
		t.Errorf("it took %d commits", got)
	}
}

// Watch sees what another process writes to the log, and only that.
func TestWatchAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := twoProcesses(t)
		ctx, cancel := context.WithCancel(t.Context())
		hints, ended := make(chan store.Hint, 10), make(chan error, 1)
		go func() { ended <- ours.Watch(ctx, func(h store.Hint) { hints <- h }) }()
		<-hints
		id := mustCreate(t, theirs, login(1))
		time.Sleep(2 * pollInterval)
		if n := len(hints); n != 0 {
			t.Errorf("%d hints after a login", n)
		}
		if _, err := theirs.End(t.Context(), id, time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * pollInterval)
		if n := len(hints); n != 1 || <-hints != store.LogGrew {
			t.Errorf("%d hints after a logout, want one that the log grew", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What a Watch costs while nothing happens: forty of these a second.
func BenchmarkPoll(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "test.db"), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if _, err := s.poll.look(); err != nil {
			b.Fatal(err)
		}
	}
}
