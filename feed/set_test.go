package feed

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil/store"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// why: "exactly, until they expire": what is added is there until it has
// expired, what was not is not, and nothing stays for longer than a bucket is
// wide.
func TestSetIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSet(1 << 20)
		now := noon
		expires := map[store.SID]time.Time{}
		ids := rapid.Custom(func(t *rapid.T) store.SID {
			return store.SID{0: byte(rapid.IntRange(0, 3).Draw(t, "first")), 15: byte(rapid.IntRange(1, 60).Draw(t, "last"))}
		})
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "step") == 0 {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "later")))
				s.prune(now)
			}
			id := ids.Draw(t, "id")
			e := now.Add(time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "expires")))
			if !s.add(id, e) {
				t.Fatal("full")
			}
			if e.After(expires[id]) {
				expires[id] = e
			}
			probe := ids.Draw(t, "probe")
			kept, e := s.contains(probe), expires[probe]
			switch {
			case e.After(now) && !kept:
				t.Fatalf("%v has gone %v before it expires", probe, e.Sub(now))
			case e.IsZero() && kept:
				t.Fatalf("%v is there and was never added", probe)
			case now.Sub(e) > bucketWidth+10*time.Minute && kept && !e.IsZero():
				t.Fatalf("%v is there %v after it has expired", probe, now.Sub(e))
			}
		}
		entries := map[store.SID]bool{}
		for _, e := range s.entries() {
			entries[e.Session] = true
			if e.Expires.Before(expires[e.Session]) && !s.contains(e.Session) {
				t.Fatalf("%v expires early in the entries", e.Session)
			}
		}
		for id := range expires {
			if s.contains(id) != entries[id] {
				t.Fatalf("%v is in the set: %v; in its entries: %v", id, s.contains(id), entries[id])
			}
		}
	})
}

// why: "forgets by the bucket", and never early.
func TestSetForgetsInTime(t *testing.T) {
	for _, offset := range []time.Duration{0, time.Millisecond, bucketWidth / 2, bucketWidth - time.Millisecond, bucketWidth} {
		s, id := newSet(10), store.NewSID(noon)
		expires := noon.Add(offset)
		s.add(id, expires)
		s.prune(expires)
		if !s.contains(id) {
			t.Errorf("%v into a bucket: forgotten when it expires, and the clock may be coarse", offset)
		}
		s.prune(expires.Add(bucketWidth))
		if s.contains(id) || s.count.Load() != 0 {
			t.Errorf("%v into a bucket: remembered a whole bucket after it has expired", offset)
		}
	}
}

// why: "nobody's": no session has the zero id, whatever the set holds.
func TestSetZeroID(t *testing.T) {
	s := newSet(1000)
	for range 500 {
		s.add(store.NewSID(noon), noon)
	}
	if !s.add(store.SID{}, noon) || s.contains(store.SID{}) || s.count.Load() != 500 {
		t.Error("the zero id is taken for that of a session")
	}
}

// why: "It returns false where the set is full"; and what is in it takes no room
// again.
func TestSetFull(t *testing.T) {
	s := newSet(3)
	ids := []store.SID{store.NewSID(noon), store.NewSID(noon), store.NewSID(noon)}
	for _, id := range ids {
		if !s.add(id, noon) {
			t.Fatal("full too early")
		}
	}
	if s.add(store.NewSID(noon), noon) {
		t.Error("takes more than it may")
	}
	for _, id := range ids {
		if !s.add(id, noon) {
			t.Error("refuses what it has")
		}
	}
	s.prune(noon.Add(bucketWidth))
	if !s.add(store.NewSID(noon), noon) {
		t.Error("has no room after everything has expired")
	}
}

// why: what is told twice takes room once, in whichever order the two expire
// within the set's width; else a view that is built anew again and again fills
// up with copies.
func TestSetKeepsOneCopy(t *testing.T) {
	s, id := newSet(1000), store.NewSID(noon)
	s.add(id, noon.Add(time.Hour))
	for i := range 10 {
		s.add(id, noon.Add(time.Duration(i)*bucketWidth))
	}
	if n := s.count.Load(); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// why: "It is safe for concurrent use", and an add that has returned is seen.
func TestSetConcurrent(t *testing.T) {
	s := newSet(1 << 20)
	var added [4]atomic.Int64
	id := func(writer, n int64) store.SID { return store.SID{0: 1, 1: byte(writer), 2: byte(n), 3: byte(n >> 8)} }
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for w := range added {
		writers.Go(func() {
			for n := range int64(1000) {
				s.add(id(int64(w), n), noon.Add(time.Duration(n)*time.Second))
				added[w].Store(n + 1)
			}
		})
		readers.Go(func() {
			for !done.Load() {
				if n := added[w].Load(); n > 0 && !s.contains(id(int64(w), rand.Int64N(n))) {
					t.Error("what was added is not there")
					return
				}
				if rand.IntN(100) == 0 {
					s.prune(noon) // nothing has expired
					s.entries()
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if n := s.count.Load(); n != 4000 {
		t.Errorf("counts %d", n)
	}
}

// why: "It takes 21 to 32 bytes an entry", at 900,000 just after most tables have
// grown, and "the garbage collector passes
// over millions of entries".
func TestSetMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := newSet(1_000_000)
	for n := range 1_000_000 {
		s.add(numbered(n), noon)
		if n+1 != 900_000 && n+1 != 1_000_000 {
			continue
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := float64(after.HeapAlloc-before.HeapAlloc) / float64(n+1)
		objects := after.HeapObjects - before.HeapObjects
		t.Logf("%d entries: %.1f bytes each, %d objects", n+1, each, objects)
		if each > 32 {
			t.Errorf("%d entries take %.1f bytes each", n+1, each)
		}
		if objects > 1000 {
			t.Errorf("%d entries are %d objects", n+1, objects)
		}
	}
	runtime.KeepAlive(s)
}

func filled(n int) *set {
	s := newSet(n)
	for i := range n {
		s.add(numbered(i), noon)
	}
	return s
}

// numbered returns an id that costs no randomness.
func numbered(n int) store.SID {
	id := store.SID{6: 0x70, 8: 0x80}
	binary.LittleEndian.PutUint64(id[8:], rand.New(rand.NewPCG(uint64(n), 0)).Uint64())
	return id
}

func BenchmarkSetContains(b *testing.B) {
	s := filled(1_000_000)
	var known, unknown []store.SID
	for i := range 1 << 16 { // all over the set
		known = append(known, numbered(15*i))
		unknown = append(unknown, numbered(-1-i))
	}
	for name, ids := range map[string][]store.SID{"hit": known, "miss": unknown} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if s.contains(ids[i%len(ids)]) != (name == "hit") {
					b.Fatal("wrong")
				}
			}
		})
	}
}

// BenchmarkSetGrowth reports the longest that one add took on the way to a
// million: a look-up in the same shard waits for as long.
func BenchmarkSetGrowth(b *testing.B) {
	for b.Loop() {
		s := newSet(1_000_000)
		var longest time.Duration
		for i := range 1_000_000 {
			id := numbered(i)
			begun := time.Now()
			s.add(id, noon)
			longest = max(longest, time.Since(begun))
		}
		b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
	}
}

func TestSetYieldsAllThatItHolds(t *testing.T) {
	s, want := newSet(10_000), map[store.SID]bool{}
	for i := range 5000 {
		id := store.NewSID(noon)
		want[id] = true
		s.add(id, noon.Add(time.Duration(i%60)*time.Minute))
	}
	got := map[store.SID]bool{}
	for id := range s.all {
		got[id] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("yields %d ids, holds %d", len(got), len(want))
	}
	n := 0
	for range s.all {
		if n++; n == 3 {
			break // and no lock is held any more
		}
	}
	if n != 3 || !s.add(store.NewSID(noon), noon) {
		t.Errorf("yields %d after it was told to stop", n)
	}
}
