package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A kit is what a check works with: a store, and short words for common steps.
// A step that fails ends the test.
type kit struct {
	t     tester
	store store.Store
	tick  time.Duration // the unit of waiting
	pace  *pace         // of time that passes by itself; nil: it stands still but for wait
}

// A tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Context() context.Context
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

const (
	idle   = time.Hour
	life   = 24 * time.Hour
	retain = time.Hour
)

// wait lets n ticks pass.
func (k *kit) wait(n int) {
	if k.pace != nil {
		k.pace.wait(k.ticks(n))
		return
	}
	time.Sleep(k.ticks(n)) // in a bubble
}

// ticks is how long wait(n) takes.
func (k *kit) ticks(n int) time.Duration { return time.Duration(n) * k.tick }

// login is the creation of an ordinary session of the user; empty: anonymous.
func login(user string) store.Creation {
	return store.Creation{
		Session: store.Session{
			ID:        store.NewSID(time.Now()),
			Secret:    digest(),
			User:      user,
			Name:      "Name of " + user,
			Methods:   "pwd",
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			Address:   "192.0.2.7",
			Idle:      idle,
		},
		Lifetime: life,
		Retain:   retain,
	}
}

// withRefresh adds a family of refresh tokens and returns its first rotation.
func withRefresh(c *store.Creation) store.Rotation {
	c.Refresh = store.RefreshSeed{Family: digest(), Current: digest()}
	return store.Rotation{
		ID:        c.Session.ID,
		Family:    c.Refresh.Family,
		Presented: c.Refresh.Current,
		Next:      digest(),
		Sealed:    digest(),
		Grace:     30 * time.Second,
		Retain:    retain,
	}
}

func digest() (d store.Digest) {
	rand.Read(d[:])
	return d
}

// ok ends the test where a step fails that is not what the test is about.
func (k *kit) ok(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("unexpected error: %v", err)
	}
}

// refuses checks that a step fails with the error that the contract names.
func (k *kit) refuses(err, want error) {
	k.t.Helper()
	if !errors.Is(err, want) {
		k.t.Fatalf("got error %v, want %v", err, want)
	}
}

// fails checks that a step fails, in whatever way.
func (k *kit) fails(step string, err error) {
	k.t.Helper()
	if err == nil {
		k.t.Errorf("%s: no error", step)
	}
}

func (k *kit) create(c store.Creation) store.Session {
	k.t.Helper()
	s, err := k.store.Create(k.t.Context(), c)
	k.ok(err)
	return s
}

func (k *kit) createFor(user string) store.Session {
	k.t.Helper()
	return k.create(login(user))
}

func (k *kit) find(id store.SID) store.Session {
	k.t.Helper()
	s, err := k.store.Find(k.t.Context(), id)
	k.ok(err)
	return s
}

// isLive and isGone check what Find says.
func (k *kit) isLive(id store.SID) {
	k.t.Helper()
	if _, err := k.store.Find(k.t.Context(), id); err != nil {
		k.t.Fatalf("session %v should be live: %v", id, err)
	}
}

func (k *kit) isGone(id store.SID) {
	k.t.Helper()
	if _, err := k.store.Find(k.t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		k.t.Fatalf("session %v should be gone: got error %v, want %v", id, err, store.ErrNotFound)
	}
}

func (k *kit) end(id store.SID) store.Ended {
	k.t.Helper()
	e, err := k.store.End(k.t.Context(), id, retain)
	k.ok(err)
	return e
}

func (k *kit) endUser(user string, except store.SID) store.Ended {
	k.t.Helper()
	e, err := k.store.EndUser(k.t.Context(), user, except, retain)
	k.ok(err)
	return e
}

func (k *kit) endAll() store.Ended {
	k.t.Helper()
	e, err := k.store.EndAll(k.t.Context(), retain)
	k.ok(err)
	return e
}

func (k *kit) generation(user string) uint64 {
	k.t.Helper()
	g, err := k.store.Generation(k.t.Context(), user)
	k.ok(err)
	return g
}

func (k *kit) values(id store.SID) ([]byte, uint64) {
	k.t.Helper()
	v, version, err := k.store.Values(k.t.Context(), id)
	k.ok(err)
	return v, version
}

func (k *kit) list(q store.Query) []store.Session {
	k.t.Helper()
	l, err := k.store.List(k.t.Context(), q)
	k.ok(err)
	return l
}

func (k *kit) follow(after store.Cursor) store.News {
	k.t.Helper()
	n, err := k.store.Follow(k.t.Context(), after, store.MaxBatch)
	k.ok(err)
	return n
}

// log returns the whole log, after checking that it is whole: positions count
// up by one, ids differ, and the head is the last entry.
func (k *kit) log() []store.Entry {
	k.t.Helper()
	news := k.follow(store.Cursor{})
	k.isWhole(store.Cursor{}, news.Entries)
	if n := len(news.Entries); n > 0 && news.Entries[n-1].Cursor != news.Head {
		k.t.Fatalf("the head is %v, the last entry %v", news.Head, news.Entries[n-1].Cursor)
	}
	return news.Entries
}

// isWhole checks that the entries follow the cursor without a gap.
func (k *kit) isWhole(after store.Cursor, entries []store.Entry) {
	k.t.Helper()
	seen := map[[16]byte]bool{{}: true, after.ID: true}
	for i, e := range entries {
		if want := after.Pos + uint64(i) + 1; e.Pos != want {
			k.t.Fatalf("entry %d has position %d, want %d: the log has a gap", i, e.Pos, want)
		}
		if seen[e.ID] {
			k.t.Fatalf("entry %d has the id %x, which is zero or another's", i, e.ID)
		}
		seen[e.ID] = true
	}
}

// logged returns how often the log says that the session ended.
func logged(entries []store.Entry, id store.SID) int {
	n := 0
	for _, e := range entries {
		if e.Kind == store.SessionEnded && e.Session == id {
			n++
		}
	}
	return n
}

// isLogged checks that the log has exactly one entry for each of the sessions,
// and none besides.
func (k *kit) isLogged(ids ...store.SID) {
	k.t.Helper()
	entries := k.log()
	for _, id := range ids {
		if n := logged(entries, id); n != 1 {
			k.t.Fatalf("session %v has %d log entries, want 1", id, n)
		}
	}
	if len(entries) != len(ids) {
		k.t.Fatalf("the log has %d entries, want %d", len(entries), len(ids))
	}
}

// parallel runs f n times at once, with i from 0, and waits.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}
