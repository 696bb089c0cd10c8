package memory_test

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

const million = 1_000_000

// typical is an ordinary login: a user id of 12 bytes, a name, one of 500 user
// agents of 80 bytes, an address, and 200 bytes of values.
func typical(i int) store.Creation {
	values := make([]byte, 200)
	rand.Read(values)
	return store.Creation{
		Session: store.Session{
			ID:        store.NewSID(time.Now()),
			Secret:    store.Digest(append(values[:16:16], values[16:32]...)),
			User:      fmt.Sprintf("user-%07d", i),
			Name:      fmt.Sprintf("John Doe %d", i%1000),
			Methods:   "pwd",
			UserAgent: fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%03d.0) Gecko/20100101 Firefox/%03d.0 abcdefghij", i%500, i%500),
			Address:   fmt.Sprintf("192.0.%d.%d", i>>8&0xff, i&0xff),
			Idle:      time.Hour,
		},
		Lifetime: 24 * time.Hour,
		Values:   values,
		Retain:   time.Minute,
	}
}

// filled returns a store with n typical sessions, and their ids.
func filled(tb testing.TB, n int, change func(*store.Creation)) (*memory.Store, []store.SID) {
	tb.Helper()
	s := memory.New(memory.Config{})
	tb.Cleanup(func() { s.Close() })
	ids := make([]store.SID, n)
	for i := range ids {
		c := typical(i)
		change(&c)
		ids[i] = c.Session.ID
		if _, err := s.Create(tb.Context(), c); err != nil {
			tb.Fatal(err)
		}
	}
	return s, ids
}

func asIs(*store.Creation) {}

// BenchmarkFind asks for sessions among a million: for a thousand that are in
// use, and for all in turn, which no processor cache holds.
func BenchmarkFind(b *testing.B) {
	s, ids := filled(b, million, asIs)
	for name, asked := range map[string][]store.SID{"busy": ids[:1000], "all": ids} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i = (i + 611_953) % len(asked) {
				if _, err := s.Find(b.Context(), asked[i]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i = (i + 611_953) % len(asked) {
					if _, err := s.Find(b.Context(), asked[i]); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkCreate(b *testing.B) {
	s, _ := filled(b, 0, asIs)
	c := typical(1)
	b.ReportAllocs()
	for b.Loop() {
		c.Session.ID = store.NewSID(time.Now())
		c.Session.User = c.Session.ID.String()
		if _, err := s.Create(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSaveValues(b *testing.B) {
	s, ids := filled(b, 1, asIs)
	values := make([]byte, 200)
	b.ReportAllocs()
	version := uint64(1)
	for b.Loop() {
		if err := s.SaveValues(b.Context(), ids[0], version, values); err != nil {
			b.Fatal(err)
		}
		version++
	}
}

func BenchmarkEnd(b *testing.B) {
	s, _ := filled(b, 0, asIs)
	c := typical(1)
	b.ReportAllocs()
	for b.Loop() { // creating one for each is part of the figure
		c.Session.ID = store.NewSID(time.Now())
		if _, err := s.Create(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		if _, err := s.End(b.Context(), c.Session.ID, c.Retain); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillion reports what a million live sessions cost.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		before := heap()
		s, _ := filled(b, million, asIs)
		b.ReportMetric(float64(heap()-before-million*16)/million, "B/session") // less the ids
		started := time.Now()
		runtime.GC()
		b.ReportMetric(float64(time.Since(started).Microseconds())/1000, "ms/gc")
		s.Close()
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPurge reports the longest check and the longest write while a million
// sessions, all expired, are purged in batches of 1,000; and as noise the longest
// check for as long beside a goroutine that is busy and holds no lock.
func BenchmarkPurge(b *testing.B) {
	for b.Loop() {
		const idle = 5 * time.Second
		s, _ := filled(b, million, func(c *store.Creation) { c.Session.Idle = idle })
		var kept []store.SID // a check among all, since a purge is at one session at a time
		for i := range 1000 {
			c := typical(i)
			if _, err := s.Create(b.Context(), c); err != nil {
				b.Fatal(err)
			}
			kept = append(kept, c.Session.ID)
		}
		time.Sleep(idle) // in real time: the waits are what is measured
		removed, started := 0, time.Now()
		check, write := longestWaits(b, s, kept, func() {
			for n := 1; n > 0; removed += n {
				var err error
				if n, err = s.Purge(b.Context(), 1000); err != nil {
					b.Error(err)
				}
			}
		})
		took := time.Since(started)
		noise, _ := longestWaits(b, s, kept, func() {
			for started := time.Now(); time.Since(started) < took; {
			}
		})
		b.ReportMetric(float64(took.Microseconds())/1000, "ms/purge")
		b.ReportMetric(float64(check.Microseconds())/1000, "ms-check")
		b.ReportMetric(float64(write.Microseconds())/1000, "ms-write")
		b.ReportMetric(float64(noise.Microseconds())/1000, "ms-noise")
		if removed != million {
			b.Fatalf("%d were purged, want %d", removed, million)
		}
		s.Close()
	}
}

// longestWaits reads and writes sessions while work runs, and returns the longest
// time that one of each took.
func longestWaits(b *testing.B, s *memory.Store, ids []store.SID, work func()) (check, write time.Duration) {
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		work()
		done.Store(true)
	})
	defer wg.Wait()
	for i := 0; !done.Load(); i = (i + 1) % len(ids) {
		started := time.Now()
		_, version, err := s.Values(b.Context(), ids[i])
		check = max(check, time.Since(started))
		started = time.Now()
		if err == nil {
			err = s.SaveValues(b.Context(), ids[i], version, nil)
		}
		write = max(write, time.Since(started))
		if err != nil {
			b.Error(err)
		}
	}
	return check, write
}
