package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

func openAt(t testing.TB, url string, config Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
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
	}
}

func mustCreate(t testing.TB, s *Store, c store.Creation) store.SID {
	t.Helper()
	created, err := s.Create(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return created.ID
}

// connect returns a connection of an operator's.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) }) // it may be broken by then
	return c
}

func mustExec(t testing.TB, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// clients has so many goroutines do n operations together.
func clients(tb testing.TB, count, n int, do func(i int) error) {
	tb.Helper()
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
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
