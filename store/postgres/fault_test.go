package postgres

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
)

// G0: once End returned nil, no crash brings the session back. Three nodes log
// in and out while the server is killed.
func TestKillUnderLoad(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	url := server.Database()
	var (
		mu              sync.Mutex
		created, ending = map[store.SID]bool{}, map[store.SID]bool{}
		ended           = map[store.SID]store.Cursor{}
		nodes           sync.WaitGroup
	)
	note := func(do func()) {
		mu.Lock()
		defer mu.Unlock()
		do()
	}
	for range 3 {
		s := openAt(t, url, Config{})
		for client := range 8 {
			nodes.Go(func() {
				for i := 0; ; i++ {
					made, err := s.Create(t.Context(), login(client))
					if err != nil {
						return // killed
					}
					id := made.ID
					note(func() { created[id] = true })
					if i%3 == 0 {
						continue // stays
					}
					note(func() { ending[id] = true })
					e, err := s.End(t.Context(), id, time.Hour)
					if err != nil {
						return
					}
					note(func() { ended[id] = e.Head })
				}
			})
		}
	}
	for enough := false; !enough; time.Sleep(10 * time.Millisecond) {
		note(func() { enough = len(ended) > 2000 })
	}
	server.Kill()
	nodes.Wait()
	server.Start()

	s := openAt(t, url, Config{})
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	logged := map[store.SID]uint64{}
	for i, e := range snapshot.Entries {
		logged[e.Session] = e.Pos
		if e.Pos != uint64(i)+1 {
			t.Fatalf("entry %d has position %d: the log has a gap", i, e.Pos)
		}
	}
	for id, head := range ended {
		if _, err := s.Find(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("a session whose end was acknowledged: error %v, want %v", err, store.ErrNotFound)
		}
		if pos := logged[id]; pos == 0 || pos > head.Pos {
			t.Fatalf("an end acknowledged at %d is in the log at %d", head.Pos, pos)
		}
	}
	for id := range created {
		if _, err := s.Find(t.Context(), id); err != nil && !ending[id] {
			t.Fatalf("a session whose creation was acknowledged: %v", err)
		}
	}
	t.Logf("%d logins and %d logouts were acknowledged before the crash", len(created), len(ended))
}

// A store goes on after a restart of the server: the connections that died with
// it cost nobody an error but those who wrote in that moment.
func TestServerRestarts(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	s := openAt(t, server.Database(), Config{})
	id := mustCreate(t, s, login(0))
	clients(t, 8, 100, func(int) error { _, err := s.Find(t.Context(), id); return err }) // several connections
	server.Stop()
	if _, err := s.Find(t.Context(), id); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("without a server: error %v, want one that is not %v", err, store.ErrNotFound)
	}
	if _, err := s.End(t.Context(), store.NewSID(time.Now()), time.Hour); err == nil {
		t.Error("End without a server: no error")
	}
	server.Start()
	for range 20 {
		if _, err := s.Find(t.Context(), id); err != nil {
			t.Fatalf("after a restart: %v", err)
		}
	}
	if e, err := s.End(t.Context(), id, time.Hour); err != nil || e.Count != 1 {
		t.Fatalf("End after a restart: %+v, error %v", e, err)
	}
}

// A server that holds its connections and answers nothing holds nobody for
// longer than his context allows, or Config.Timeout.
func TestServerHangs(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	url := server.Database()
	patient, brief := openAt(t, url, Config{}), openAt(t, url, Config{Timeout: time.Second})
	id := mustCreate(t, patient, login(0))
	mustCreate(t, brief, login(0))
	server.Pause()
	calls := map[string]func(context.Context, *Store) error{
		"Find":     func(ctx context.Context, s *Store) error { _, err := s.Find(ctx, id); return err },
		"Create":   func(ctx context.Context, s *Store) error { _, err := s.Create(ctx, login(0)); return err },
		"End":      func(ctx context.Context, s *Store) error { _, err := s.End(ctx, id, time.Hour); return err },
		"Beat":     func(ctx context.Context, s *Store) error { _, err := s.Beat(ctx, store.Beat{}); return err },
		"Document": func(ctx context.Context, s *Store) error { return s.SwapDocument(ctx, "x", 0, nil) },
		"Nudge":    func(ctx context.Context, s *Store) error { return s.Nudge(ctx) },
	}
	var wg sync.WaitGroup
	for name, call := range calls {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := call(ctx, patient); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: error %v, want %v", name, err, context.DeadlineExceeded)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s: took %v of 300ms", name, took)
			}
		})
		wg.Go(func() {
			began := time.Now()
			if err := call(t.Context(), brief); err == nil || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s without a deadline: error %v", name, err)
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("%s without a deadline: took %v of 1s", name, took)
			}
		})
	}
	wg.Wait()
	server.Resume()
	if _, err := brief.Find(t.Context(), id); err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Errorf("when it goes on: %v", err)
	}
	if e, err := brief.End(t.Context(), id, time.Hour); err != nil {
		t.Errorf("when it goes on: %+v, error %v", e, err)
	}
}

// A commit whose wait for the synchronous standby was cancelled is reported as
// successful, with a warning. It may be missing after a failover: nobody may
// take it for done.
func TestStandbyWaitCancelled(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	url := server.Database()
	s := openAt(t, url, Config{Timeout: time.Minute})
	operator := connect(t, url)
	id := mustCreate(t, s, login(0))
	server.Set("synchronous_standby_names", "missing")

	for name, call := range map[string]func() error{
		"End":       func() error { _, err := s.End(t.Context(), id, time.Hour); return err },
		"End again": func() error { _, err := s.End(t.Context(), id, time.Hour); return err },
		"Create":    func() error { _, err := s.Create(t.Context(), login(1)); return err },
		"Beat": func() error {
			_, err := s.Beat(t.Context(), store.Beat{Node: store.NewNodeID(), Bound: time.Second})
			return err
		},
		"SwapDocument": func() error { return s.SwapDocument(t.Context(), "name", 0, nil) },
	} {
		result := make(chan error, 1)
		go func() { result <- call() }()
		for cancelled := false; !cancelled; time.Sleep(10 * time.Millisecond) {
			select {
			case err := <-result:
				t.Fatalf("%s did not wait for the standby: error %v", name, err)
			default:
			}
			var n int
			if err := operator.QueryRow(t.Context(), `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			cancelled = n > 0
		}
		if err := <-result; !errors.Is(err, store.ErrIndeterminate) {
			t.Errorf("%s: error %v, want %v", name, err, store.ErrIndeterminate)
		}
	}
	server.Set("synchronous_standby_names", "")
	if e, err := s.End(t.Context(), id, time.Hour); err != nil || e.Count != 0 || e.Head.Pos != 1 {
		t.Errorf("repeated: %+v, error %v", e, err)
	}
}

// While the standby is away no beat is answered, so that no node renews its
// right to answer from memory; reads are.
func TestBeatIsReplicated(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	s := openAt(t, server.Database(), Config{})
	server.Set("synchronous_standby_names", "missing")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Follow(ctx, store.Cursor{}, 1); err != nil {
		t.Errorf("Follow: %v", err)
	}
	if _, err := s.Beat(ctx, store.Beat{Limit: 1}); err == nil {
		t.Error("a beat was answered without the standby")
	}
	server.Set("synchronous_standby_names", "")
	if _, err := s.Beat(t.Context(), store.Beat{Limit: 1}); err != nil {
		t.Errorf("with the standby back: %v", err)
	}
}

// A node that is stopped while it holds locks holds up those who write the same
// session, and them not for long; nobody else.
func TestStoppedNode(t *testing.T) {
	url := servers.Postgres(t)
	s := openAt(t, url, Config{Timeout: time.Second})
	held, other := mustCreate(t, s, login(0)), mustCreate(t, s, login(1))
	stopped := connect(t, url)
	mustExec(t, stopped, `BEGIN`)
	mustExec(t, stopped, `SELECT FROM counterfoil.session WHERE sid = $1 FOR UPDATE`, [16]byte(held))

	var wg sync.WaitGroup
	errs := map[store.SID]error{}
	var mu sync.Mutex
	for _, id := range []store.SID{held, other} {
		wg.Go(func() {
			_, err := s.End(t.Context(), id, time.Hour)
			mu.Lock()
			defer mu.Unlock()
			errs[id] = err
		})
	}
	wg.Wait()
	if err := errs[held]; err == nil || errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("the locked session: error %v, want one that says that nothing was written", err)
	}
	if errs[other] != nil {
		t.Errorf("another session: %v", errs[other])
	}
	mustExec(t, stopped, `ROLLBACK`)
	if e, err := s.End(t.Context(), held, time.Hour); err != nil || e.Count != 1 {
		t.Errorf("when it is free: %+v, error %v", e, err)
	}

	// What we hold is given up as soon.
	third := mustCreate(t, s, login(2))
	n := &needs{}
	n.session(third)
	c, _, err := s.lock(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release() // and do nothing, as if stopped
	for began := time.Now(); ; {
		e, err := s.End(t.Context(), third, time.Hour)
		if err == nil && e.Count == 1 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("a stopped node still holds its lock: %v", err)
		}
	}
}

// After a restore of an older backup positions are used again, and the random
// id beside them shows it. Merging what a follower knows ends again what was
// ended since.
func TestRestore(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	s := openAt(t, server.Database(), Config{})
	before, after, other := mustCreate(t, s, login(0)), mustCreate(t, s, login(1)), mustCreate(t, s, login(2))
	end := func(id store.SID) store.Cursor {
		t.Helper()
		e, err := s.End(t.Context(), id, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return e.Head
	}
	end(before)
	backup := server.Backup()
	known := end(after)
	knows, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Restore(backup)

	if _, err := s.Find(t.Context(), after); err != nil {
		t.Fatalf("the restore should have brought the session back: %v", err)
	}
	if again := end(other); again.Pos != known.Pos || again.ID == known.ID {
		t.Errorf("the position after the restore is %v, before it was %v: want the same with another id", again, known)
	}
	if _, err := s.Beat(t.Context(), store.Beat{After: known, Limit: 1}); !errors.Is(err, store.ErrUnknownCursor) {
		t.Errorf("a cursor of the lost history: error %v, want %v", err, store.ErrUnknownCursor)
	}
	if err := s.Merge(t.Context(), knows.Entries); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), after); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session that a follower knows to have ended: error %v, want %v", err, store.ErrNotFound)
	}
}
