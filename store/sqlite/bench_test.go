package sqlite

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Every value that a benchmark writes is new: SQLite skips an update that
// changes nothing, and then measures nothing.

func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func login(i int) store.Creation {
	return store.Creation{
		Session: store.Session{
			ID:        store.NewSID(time.Now()),
			User:      fmt.Sprintf("user-%d", i),
			Name:      "John Doe",
			Methods:   "pwd",
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			Address:   "192.0.2.7",
			Idle:      time.Hour,
		},
		Lifetime: 24 * time.Hour,
		Retain:   10 * time.Minute,
		Limit:    100,
	}
}

// fillWith makes n sessions, fast.
func fillWith(b *testing.B, s *Store, n int) []store.SID {
	b.Helper()
	ids := make([]store.SID, n)
	clients(b, 256, n, func(i int) error {
		c := login(i)
		ids[i] = c.Session.ID
		_, err := s.Create(b.Context(), c)
		return err
	})
	return ids
}

// clients has so many goroutines do n operations together.
func clients(b *testing.B, count, n int, do func(i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range count {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// inGroups runs a write with 1 and with 64 clients, committed in groups and, for
// comparison on the same schema, row by row.
func inGroups(b *testing.B, prepare func(*testing.B, *Store) func(i int) error) {
	for _, mode := range []struct {
		name    string
		clients int
		grouped bool
	}{
		{"clients=1", 1, true},
		{"clients=64", 64, true},
		{"clients=64/rowByRow", 64, false},
	} {
		b.Run(mode.name, func(b *testing.B) {
			s := openBench(b)
			do := prepare(b, s)
			if !mode.grouped {
				s.writer.groupTime = 0
			}
			commits := countCommits(s)
			b.ResetTimer()
			clients(b, mode.clients, b.N, do)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric(float64(b.N)/float64(commits.Load()), "writes/commit")
		})
	}
}

func BenchmarkCreate(b *testing.B) {
	inGroups(b, func(b *testing.B, s *Store) func(int) error {
		return func(i int) error {
			_, err := s.Create(b.Context(), login(i))
			return err
		}
	})
}

func BenchmarkSaveValues(b *testing.B) {
	const sessions = 10_000
	inGroups(b, func(b *testing.B, s *Store) func(int) error {
		ids := fillWith(b, s, sessions)
		versions := make([]atomic.Uint64, sessions)
		return func(i int) error {
			n := i % sessions
			values := binary.BigEndian.AppendUint64(make([]byte, 192), uint64(i))
			return s.SaveValues(b.Context(), ids[n], versions[n].Add(1), values)
		}
	})
}

func BenchmarkEnd(b *testing.B) {
	inGroups(b, func(b *testing.B, s *Store) func(int) error {
		ids := fillWith(b, s, b.N)
		return func(i int) error {
			_, err := s.End(b.Context(), ids[i], 10*time.Minute)
			return err
		}
	})
}

func BenchmarkTouch(b *testing.B) {
	s := openBench(b)
	ids := fillWith(b, s, 100_000)
	const batch = 1000
	n := 0
	for b.Loop() {
		time.Sleep(time.Millisecond) // a new time
		now := time.Now()
		touches := make([]store.Touch, batch)
		for i := range touches {
			touches[i] = store.Touch{ID: ids[(n+i*97)%len(ids)], At: now}
		}
		n++
		if err := s.Touch(b.Context(), touches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "touches/s")
}

func BenchmarkFind(b *testing.B) {
	for _, sessions := range []int{1_000, 100_000} {
		s := openBench(b)
		ids := fillWith(b, s, sessions)
		find := func(i int) error {
			_, err := s.Find(b.Context(), ids[(i*7919)%sessions])
			return err
		}
		b.Run(fmt.Sprintf("sessions=%d/hot", sessions), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Find(b.Context(), ids[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/any", sessions), func(b *testing.B) {
			clients(b, 1, b.N, find)
		})
		b.Run(fmt.Sprintf("sessions=%d/parallel", sessions), func(b *testing.B) {
			clients(b, 8, b.N, find)
		})
	}
}

// BenchmarkPurge tells how long a login takes while expired sessions are
// purged, and for comparison while nothing else happens.
func BenchmarkPurge(b *testing.B) {
	const expired = 200_000
	b.Run("idle", func(b *testing.B) { timeLogins(b, openBench(b)) })
	b.Run("purging", func(b *testing.B) {
		s := openBench(b)
		fillWith(b, s, expired)
		if _, err := s.EndAll(b.Context(), time.Minute); err != nil {
			b.Fatal(err)
		}
		var purging sync.WaitGroup
		purged, began := 0, time.Now()
		var took time.Duration
		purging.Go(func() {
			for n := 1; n > 0; purged += n {
				var err error
				if n, err = s.Purge(b.Context(), 256); err != nil {
					b.Error(err)
					return
				}
			}
			took = time.Since(began)
		})
		timeLogins(b, s)
		purging.Wait()
		b.ReportMetric(float64(purged)/took.Seconds(), "purged/s")
	})
}

func timeLogins(b *testing.B, s *Store) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if _, err := s.Create(b.Context(), login(i)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	for _, p := range []float64{50, 99, 99.9} {
		b.ReportMetric(float64(took[int(p/100*float64(len(took)-1))].Microseconds()), fmt.Sprintf("µs-p%v", p))
	}
}
