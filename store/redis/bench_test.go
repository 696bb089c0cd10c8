package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/redis"
)

// The server and its clients share the machine: the figures compare, and say
// little of a server of its own.

const benchClients = 64

func benchLogin(i int) store.Creation {
	return store.Creation{
		Session: store.Session{
			ID:        store.NewSID(time.Now()),
			Secret:    store.Digest{1},
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

// clients has 64 goroutines do n operations together.
func clients(b *testing.B, n int, do func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range benchClients {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// fillWith makes n sessions, of as many users or of one.
func fillWith(b *testing.B, s *redis.Store, n int, oneUser bool) []store.SID {
	b.Helper()
	ids := make([]store.SID, n)
	clients(b, n, func(i int) error {
		c := benchLogin(i)
		c.Limit = 0
		if oneUser {
			c.Session.User = "john"
		}
		ids[i] = c.Session.ID
		_, err := s.Create(b.Context(), c)
		return err
	})
	return ids
}

func BenchmarkCreate(b *testing.B) {
	s := open(b, servers.StartRedis(b, nil).URL(), redis.Config{})
	b.ResetTimer()
	clients(b, b.N, func(i int) error {
		_, err := s.Create(b.Context(), benchLogin(i))
		return err
	})
}

func BenchmarkEnd(b *testing.B) {
	s := open(b, servers.StartRedis(b, nil).URL(), redis.Config{})
	ids := fillWith(b, s, b.N, false)
	b.ResetTimer()
	clients(b, b.N, func(i int) error {
		_, err := s.End(b.Context(), ids[i], 10*time.Minute)
		return err
	})
}

// Each logout waits for a replica, which runs on the same machine.
func BenchmarkEndReplicated(b *testing.B) {
	server := servers.StartRedis(b, map[string]string{"min-replicas-to-write": "0"})
	server.StartReplica(nil)
	s := open(b, server.URL(), redis.Config{Replicas: 1})
	ids := fillWith(b, s, b.N, false)
	b.ResetTimer()
	clients(b, b.N, func(i int) error {
		_, err := s.End(b.Context(), ids[i], 10*time.Minute)
		return err
	})
}

func BenchmarkFind(b *testing.B) {
	s := open(b, servers.StartRedis(b, nil).URL(), redis.Config{})
	ids := fillWith(b, s, 10_000, false)
	b.ResetTimer()
	clients(b, b.N, func(i int) error {
		_, err := s.Find(b.Context(), ids[i%len(ids)])
		return err
	})
}

// The server does nothing else meanwhile.
func BenchmarkEndUser(b *testing.B) {
	s := open(b, servers.StartRedis(b, nil).URL(), redis.Config{Timeout: time.Minute})
	const sessions = 1000
	for b.Loop() {
		b.StopTimer()
		fillWith(b, s, sessions, true)
		b.StartTimer()
		if _, err := s.EndUser(b.Context(), "john", store.SID{}, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/sessions, "µs/session")
}

// What a session takes of the server's memory.
func BenchmarkMemory(b *testing.B) {
	server := servers.StartRedis(b, nil)
	s := open(b, server.URL(), redis.Config{})
	used := func() int {
		for line := range strings.Lines(server.Do("INFO", "memory")) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
				bytes, err := strconv.Atoi(n)
				if err != nil {
					b.Fatal(err)
				}
				return bytes
			}
		}
		b.Fatal("the server does not say how much memory it uses")
		return 0
	}
	const sessions = 20_000
	for b.Loop() {
		before := used()
		fillWith(b, s, sessions, false)
		b.ReportMetric(float64(used()-before)/sessions, "B/session")
		if _, err := s.EndAll(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Purge(b.Context(), sessions); err != nil {
			b.Fatal(err)
		}
	}
}
