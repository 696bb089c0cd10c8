package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/redis"
)

// within fails the test where do takes longer.
func within(t *testing.T, d time.Duration, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > d {
		t.Errorf("it took %v, want at most %v", took, d)
	}
}

// What was acknowledged survives kill -9 of the server, at whatever moment.
func TestKill(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	var mu sync.Mutex
	created, ended := map[store.SID]bool{}, map[store.SID]uint64{}
	ending := map[store.SID]bool{}
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		stop := make(chan struct{})
		var clients sync.WaitGroup
		for client := range 16 {
			clients.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					c := login(fmt.Sprint("client-", client))
					if _, err := s.Create(t.Context(), c); err != nil {
						continue
					}
					mu.Lock()
					created[c.Session.ID] = true
					ending[c.Session.ID] = i%3 != 0
					mu.Unlock()
					if i%3 == 0 {
						continue // stays
					}
					if e, err := s.End(t.Context(), c.Session.ID, time.Hour); err == nil && e.Count == 1 {
						mu.Lock()
						ended[c.Session.ID] = e.Head.Pos
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(150 * time.Millisecond) // a real server is killed at a real time
		server.Kill()
		close(stop)
		clients.Wait()
		server.Start()
		settle(t, s)
		holdTo(t, s, created, ending, ended)
		if t.Failed() {
			break
		}
	}
	t.Logf("%d logins and %d logouts were acknowledged in %d rounds", len(created), len(ended), rounds)
	if len(ended) < rounds {
		t.Error("too few to tell anything")
	}
}

// holdTo compares the store with what it has acknowledged.
func holdTo(t *testing.T, s *redis.Store, created, ending map[store.SID]bool, ended map[store.SID]uint64) {
	t.Helper()
	live := map[store.SID]bool{}
	for q := (store.Query{}); ; {
		found, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, session := range found {
			live[session.ID] = true
			q.After = session.ID
		}
		if len(found) < store.MaxBatch {
			break
		}
	}
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	logged := map[store.SID]uint64{}
	for i, e := range snapshot.Entries {
		if e.Pos != uint64(i+1) {
			t.Fatalf("entry %d has position %d", i, e.Pos)
		}
		if live[e.Session] {
			t.Errorf("session %v is in the log of ended sessions and lives", e.Session)
		}
		logged[e.Session] = e.Pos
	}
	for id := range created {
		if !live[id] && !ending[id] {
			t.Errorf("session %v was acknowledged and is lost", id)
		}
	}
	for id, pos := range ended {
		if live[id] || logged[id] != pos {
			t.Errorf("the end of session %v was acknowledged at position %d: live %v, logged at %d", id, pos, live[id], logged[id])
		}
	}
}

// A server that answers nothing holds up nobody for longer than his context or
// the time-out, and a write that got no answer is not called a success.
func TestPause(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{Timeout: time.Second})
	id, other := create(t, s, "john"), create(t, s, "jane")
	server.Pause()
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	within(t, 700*time.Millisecond, func() {
		if _, err := s.End(short, id, time.Hour); !errors.Is(err, store.ErrIndeterminate) {
			t.Errorf("End: error %v, want %v", err, store.ErrIndeterminate)
		}
	})
	within(t, 3*time.Second, func() {
		if _, err := s.EndUser(t.Context(), "jane", store.SID{}, time.Hour); !errors.Is(err, store.ErrIndeterminate) {
			t.Errorf("EndUser: error %v, want %v", err, store.ErrIndeterminate)
		}
	})
	within(t, 3*time.Second, func() {
		if _, err := s.Find(t.Context(), id); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrIndeterminate) {
			t.Errorf("Find: error %v, want one that says nothing of the session", err)
		}
	})
	server.Resume()
	for range 2 { // whoever can't tell repeats it
		end(t, s, id)
		end(t, s, other)
	}
	finds(t, s, id, store.ErrNotFound)
	finds(t, s, other, store.ErrNotFound)
	server.Kill()
	within(t, 3*time.Second, func() {
		if _, err := s.End(t.Context(), id, time.Hour); err == nil {
			t.Error("a server that is not there ended a session")
		}
	})
}

// A logout that a replica must have, and does not, is not called a success: on
// a connection of its own WAIT would wait for nothing.
func TestReplica(t *testing.T) {
	server := servers.StartRedis(t, nil)
	replica := server.StartReplica(nil)
	s := open(t, server.URL(), redis.Config{Replicas: 1, Timeout: 4 * time.Second})
	first, second := create(t, s, "john"), create(t, s, "john")
	end(t, s, first)
	beat := store.Beat{Node: store.NewNodeID(), Bound: time.Second}
	if _, err := s.Beat(t.Context(), beat); err != nil {
		t.Fatal(err)
	}

	replica.Pause()
	within(t, 4*time.Second, func() {
		if _, err := s.End(t.Context(), second, time.Hour); !errors.Is(err, store.ErrIndeterminate) {
			t.Errorf("End: error %v, want %v", err, store.ErrIndeterminate)
		}
	})
	// It has ended on the primary. Who asks again has still to wait.
	finds(t, s, second, store.ErrNotFound)
	if _, err := s.End(t.Context(), second, time.Hour); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("End again: error %v, want %v", err, store.ErrIndeterminate)
	}
	if _, err := s.Beat(t.Context(), beat); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("Beat: error %v, want %v: this primary may be deposed", err, store.ErrIndeterminate)
	}
	replica.Resume()
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := s.End(t.Context(), second, time.Hour)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	server.Kill()
	replica.Do("REPLICAOF", "NO", "ONE")
	promoted := open(t, replica.URL(), redis.Config{})
	finds(t, promoted, first, store.ErrNotFound)
	finds(t, promoted, second, store.ErrNotFound)
}

// After a failover that lost the end of the log, positions are used again. The
// id shows it, and what a follower remembers comes back.
func TestLostTail(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	ids := []store.SID{create(t, s, "a"), create(t, s, "b"), create(t, s, "c")}
	kept := end(t, s, ids[0])
	backup := server.Backup()
	settle(t, s)
	end(t, s, ids[1])
	before, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Restore(backup)
	settle(t, s)
	if after := end(t, s, ids[2]); after.Pos != before.Head.Pos || after.ID == before.Head.ID {
		t.Fatalf("the head was %v, now it is %v", before.Head, after)
	}
	if _, err := s.Follow(t.Context(), before.Head, 10); !errors.Is(err, store.ErrUnknownCursor) {
		t.Errorf("Follow: error %v, want %v", err, store.ErrUnknownCursor)
	}
	if _, err := s.Beat(t.Context(), store.Beat{Node: store.NewNodeID(), After: before.Head, Limit: 10}); !errors.Is(err, store.ErrUnknownCursor) {
		t.Errorf("Beat: error %v, want %v", err, store.ErrUnknownCursor)
	}
	if news, err := s.Follow(t.Context(), kept, 10); err != nil || len(news.Entries) != 1 {
		t.Errorf("from a place that both have: %+v, error %v", news, err)
	}
	finds(t, s, ids[1], nil) // the restore has brought it back
	if err := s.Merge(t.Context(), before.Entries); err != nil {
		t.Fatal(err)
	}
	finds(t, s, ids[1], store.ErrNotFound)
}

// A store that was emptied accepts nothing that was ended before, and whoever
// follows it is told, though he had heard of no end.
func TestFlush(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	generation, err := s.Generation(t.Context(), "john")
	if err != nil {
		t.Fatal(err)
	}
	beat := store.Beat{Node: store.NewNodeID(), Bound: time.Second, Limit: 10}
	for range 2 {
		if _, err := s.Beat(t.Context(), beat); err != nil {
			t.Fatal(err)
		}
	}
	live := create(t, s, "john")
	if err := s.SwapDocument(t.Context(), "keys", 0, []byte("keys")); err != nil {
		t.Fatal(err)
	}
	server.Do("FLUSHALL")

	finds(t, s, live, store.ErrNotFound)
	if _, _, err := s.Document(t.Context(), "keys"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Document: error %v, want %v", err, store.ErrNotFound)
	}
	c := login("john")
	c.Generation = generation
	if _, err := s.Create(t.Context(), c); !errors.Is(err, store.ErrSuperseded) {
		t.Errorf("a login from before: error %v, want %v", err, store.ErrSuperseded)
	}
	if now, err := s.Generation(t.Context(), "john"); err != nil || now <= generation {
		t.Errorf("the generation was %d, now it is %d, error %v", generation, now, err)
	}
	if _, err := s.Beat(t.Context(), beat); !errors.Is(err, store.ErrUnknownCursor) {
		t.Errorf("Beat: error %v, want %v", err, store.ErrUnknownCursor)
	}
	if _, err := s.Beat(t.Context(), beat); err != nil {
		t.Errorf("the beat after that: %v", err)
	}
	end(t, s, create(t, s, "john"))
}

// The log holds an entry if it has one that has not expired: an expired one, purged
// or not, does not keep a longer one out.
func TestMergeLonger(t *testing.T) {
	url, prefix := servers.Redis(t)
	s := open(t, url, redis.Config{Prefix: prefix})
	id := create(t, s, "john")
	if _, err := s.End(t.Context(), id, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond) // the server's clock can't be moved
	longer := []store.Entry{{Kind: store.SessionEnded, Session: id, Expires: time.Now().Add(time.Hour)}}
	for round, want := range []uint64{2, 2, 2} {
		if err := s.Merge(t.Context(), longer); err != nil {
			t.Fatal(err)
		}
		if news, err := s.Snapshot(t.Context()); err != nil || news.Head.Pos != want || len(news.Entries) != 1 {
			t.Errorf("round %d: %+v, error %v, want one entry at %d", round, news, err, want)
		}
		if _, err := s.Purge(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
}

// A server that was started again may have lost a session that a node remembers,
// whose end would then not come to the log: the node is told to begin anew.
func TestRestart(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	beat := store.Beat{Node: store.NewNodeID(), Bound: time.Second, Limit: 10, After: end(t, s, create(t, s, "john"))}
	for range 2 {
		if _, err := s.Beat(t.Context(), beat); err != nil {
			t.Fatal(err)
		}
	}
	server.Kill()
	server.Start()
	settle(t, s)
	if _, err := s.Beat(t.Context(), beat); !errors.Is(err, store.ErrUnknownCursor) {
		t.Errorf("Beat: error %v, want %v", err, store.ErrUnknownCursor)
	}
	if _, err := s.Beat(t.Context(), beat); err != nil {
		t.Errorf("the beat after that: %v", err)
	}
}

// When memory is full nobody logs in, but everybody can log out.
func TestFull(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	id := create(t, s, "john")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if _, err := s.Create(t.Context(), login("john")); !errors.Is(err, store.ErrFull) {
		t.Errorf("Create: error %v, want %v", err, store.ErrFull)
	}
	if err := s.SaveValues(t.Context(), id, 1, []byte("values")); !errors.Is(err, store.ErrFull) {
		t.Errorf("SaveValues: error %v, want %v", err, store.ErrFull)
	}
	finds(t, s, id, nil)
	end(t, s, id)
	finds(t, s, id, store.ErrNotFound)
	if _, err := s.EndAll(t.Context(), time.Hour); err != nil {
		t.Error(err)
	}
	if _, err := s.Purge(t.Context(), 10); err != nil {
		t.Error(err)
	}
}

// A script that fails on the way may have written: that is not called a
// failure.
func TestBroken(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	id := create(t, s, "john")
	server.Do("SCRIPT", "FLUSH") // the server forgets scripts: they are sent again
	finds(t, s, id, nil)
	server.Do("SET", "{counterfoil}:log", "not a stream")
	if _, err := s.End(t.Context(), id, time.Hour); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("End: error %v, want %v", err, store.ErrIndeterminate)
	}
}

// The store's time does not follow the server's clock back, and goes on all the
// same.
func TestClock(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	c := login("john")
	c.Session.Idle = time.Minute
	if _, err := s.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC()
	server.Do("HSET", "{counterfoil}:meta", "clock", fmt.Sprint(ahead.UnixMilli())) // as if it had been set back by an hour
	finds(t, s, c.Session.ID, store.ErrNotFound)
	other := login("john")
	created, err := s.Create(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // the server's clock can't be moved
	found, err := s.Find(t.Context(), other.Session.ID)
	if err != nil {
		t.Fatal(err)
	}
	if passed := found.AsOf.Sub(created.Created); created.Created.Before(ahead) || passed < 45*time.Millisecond || passed > 10*time.Second {
		t.Errorf("the store's time was to be %v, was %v, and %v after that", ahead, created.Created, passed)
	}
}

// "Every such script writes the time down, at least": also where it changes
// nothing else, so that who waits for it waits for all that it has seen.
func TestWritesTime(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{})
	ctx := t.Context()
	there, absent := create(t, s, "john"), store.NewSID(time.Now())
	old := login("john")
	old.Generation = 1
	replacing := login("john")
	replacing.Replaces = absent
	again := login("john")
	again.Session.ID = there
	calls := map[string]func() error{
		"Create, superseded":       func() error { _, err := s.Create(ctx, old); return err },
		"Create, conflict":         func() error { _, err := s.Create(ctx, again); return err },
		"Create, nothing replaced": func() error { _, err := s.Create(ctx, replacing); return err },
		"SaveValues, absent":       func() error { return s.SaveValues(ctx, absent, 1, nil) },
		"SaveValues, conflict":     func() error { return s.SaveValues(ctx, there, 9, nil) },
		"Touch":                    func() error { return s.Touch(ctx, []store.Touch{{ID: absent, At: time.Now()}}) },
		"RotateRefresh":            func() error { _, err := s.RotateRefresh(ctx, store.Rotation{ID: absent}); return err },
		"End":                      func() error { _, err := s.End(ctx, absent, time.Hour); return err },
		"EndUser":                  func() error { _, err := s.EndUser(ctx, "jane", store.SID{}, time.Hour); return err },
		"Generation":               func() error { _, err := s.Generation(ctx, "john"); return err },
		"SwapDocument":             func() error { return s.SwapDocument(ctx, "keys", 1, nil) },
		"Beat": func() error {
			_, err := s.Beat(ctx, store.Beat{Node: store.NewNodeID(), After: store.Cursor{Pos: 9}})
			return err
		},
		"Merge": func() error { return s.Merge(ctx, nil) },
		"Purge": func() error { _, err := s.Purge(ctx, 10); return err },
	}
	for name, call := range calls {
		before := server.Do("HGET", "{counterfoil}:meta", "clock")
		time.Sleep(2 * time.Millisecond)
		err := call()
		if after := server.Do("HGET", "{counterfoil}:meta", "clock"); after <= before {
			t.Errorf("%s (error %v): the time written down was %s and is %s", name, err, before, after)
		}
	}
	finds(t, s, there, nil)
}

// Watch ends with an error where the connection breaks, and can begin again.
func TestWatchBreaks(t *testing.T) {
	server := servers.StartRedis(t, nil)
	s := open(t, server.URL(), redis.Config{Timeout: time.Second})
	hints, ended := make(chan store.Hint, 10), make(chan error, 1)
	watch := func() {
		go func() { ended <- s.Watch(t.Context(), func(h store.Hint) { hints <- h }) }()
		<-hints
	}
	watch()
	server.Kill()
	if err := <-ended; err == nil {
		t.Error("Watch: no error")
	}
	server.Start()
	settle(t, s)
	watch()
	end(t, s, create(t, s, "john"))
	<-hints
}
