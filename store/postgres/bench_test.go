package postgres

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
)

// Every benchmark of writes runs in groups and, for comparison in the same run
// and on the same server, with a transaction for each write, on as many
// connections as there are clients.
func inGroups(b *testing.B, prepare func(*testing.B, *Store) func(i int) error) {
	for _, mode := range []struct {
		name    string
		clients int
		grouped bool
	}{
		{"clients=1", 1, true},
		{"clients=64", 64, true},
		{"clients=512", 512, true},
		{"clients=64/rowByRow", 64, false},
	} {
		b.Run(mode.name, func(b *testing.B) {
			s := openAt(b, servers.Postgres(b), Config{})
			do := prepare(b, s)
			if !mode.grouped {
				rowByRow(b, s, mode.clients)
			}
			b.ResetTimer()
			clients(b, mode.clients, b.N, do)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}

// rowByRow has so many writers take one job at a time.
func rowByRow(b *testing.B, s *Store, writers int) {
	b.Helper()
	s.writes.Close()
	config := s.reads.Config()
	config.MaxConns = int32(writers)
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	s.writes = pool
	s.writer.limit = 1
	for range writers - groupsAtOnce {
		s.writer.loops.Go(s.writer.loop)
	}
}

// fillWith makes n sessions, fast.
func fillWith(b *testing.B, s *Store, n int) []store.SID {
	b.Helper()
	ids := make([]store.SID, n)
	clients(b, 512, n, func(i int) error {
		c := login(i)
		ids[i] = c.Session.ID
		_, err := s.Create(b.Context(), c)
		return err
	})
	return ids
}

func BenchmarkCreate(b *testing.B) {
	inGroups(b, func(b *testing.B, s *Store) func(int) error {
		return func(i int) error {
			c := login(i)
			c.Limit = 100
			_, err := s.Create(b.Context(), c)
			return err
		}
	})
}

func BenchmarkSaveValues(b *testing.B) {
	inGroups(b, func(b *testing.B, s *Store) func(int) error {
		ids := fillWith(b, s, b.N)
		return func(i int) error {
			return s.SaveValues(b.Context(), ids[i], 1, binary.BigEndian.AppendUint64(make([]byte, 192), uint64(i)))
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

func BenchmarkFind(b *testing.B) {
	s := openAt(b, servers.Postgres(b), Config{})
	ids := fillWith(b, s, 10_000)
	clients(b, 8, b.N, func(i int) error {
		_, err := s.Find(b.Context(), ids[(i*7919)%len(ids)])
		return err
	})
}

func BenchmarkBeat(b *testing.B) {
	s := openAt(b, servers.Postgres(b), Config{})
	node := store.NewNodeID()
	for b.Loop() {
		if _, err := s.Beat(b.Context(), store.Beat{Node: node, Bound: time.Second, Limit: 100}); err != nil {
			b.Fatal(err)
		}
	}
}
