package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
)

func openTest(t *testing.T, config Config) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "test.db"), config)
}

func openAt(t *testing.T, path string, config Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, config)
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

// countCommits counts the commits that write, and so the fsyncs, from now on.
func countCommits(s *Store) *atomic.Int64 {
	commits := new(atomic.Int64)
	s.pause(func(c *conn) {
		c.WALHook(func(c *sqlite3.Conn, schema string, pages int) error {
			commits.Add(1)
			return s.writer.checkpoints.logGrew(c, schema, pages)
		})
	})
	return commits
}

// pause calls do while the writer writes nothing.
func (s *Store) pause(do func(*conn)) {
	s.writer.checkpoints.turn.Lock()
	defer s.writer.checkpoints.turn.Unlock()
	do(s.writer.conn)
}

// together starts n writes at once, so that they make one group.
func together(t *testing.T, s *Store, n int, write func(i int)) {
	t.Helper()
	var wg sync.WaitGroup
	s.pause(func(*conn) {
		s.writer.groupTime = time.Hour // a slow machine must not split it
		for i := range n {
			wg.Go(func() { write(i) })
		}
		// The writer holds the first and waits for us; the rest queue.
		for len(s.writer.jobs) < n-1 {
			runtime.Gosched()
		}
	})
	wg.Wait()
}

func mustCreate(t *testing.T, s *Store, c store.Creation) store.SID {
	t.Helper()
	created, err := s.Create(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return created.ID
}

// Writes that come at the same time are committed together, so that many share
// one fsync.
func TestGroupSharesCommit(t *testing.T) {
	s := openTest(t, Config{})
	commits := countCommits(s)
	const n = 100
	together(t, s, n, func(i int) { mustCreate(t, s, login(i)) })
	if got := commits.Load(); got != 1 {
		t.Errorf("%d logins at once took %d commits, want 1", n, got)
	}
	if found, err := s.List(t.Context(), store.Query{}); err != nil || len(found) != n {
		t.Errorf("%d sessions, error %v; want %d", len(found), err, n)
	}
}

// An operation that changes nothing costs no fsync.
func TestNothingWritesNothing(t *testing.T) {
	s := openTest(t, Config{})
	commits := countCommits(s)
	if _, err := s.End(t.Context(), store.NewSID(time.Now()), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := commits.Load(); got != 0 {
		t.Errorf("a second logout took %d commits, want 0", got)
	}
}

// An operation that fails does not affect the others of its group: not one that
// is refused, and not one that the database can't do, which undoes the
// transaction of them all.
func TestGroupFailure(t *testing.T) {
	s := openTest(t, Config{})
	victim := mustCreate(t, s, login(0))
	limitPages(t, s, 20)
	const n = 40
	errs := make([]error, n)
	together(t, s, n, func(i int) {
		switch {
		case i == 7: // far too large for the rest of the file
			errs[i] = s.SaveValues(t.Context(), victim, 1, make([]byte, store.MaxValues))
		case i == 8:
			errs[i] = s.SaveValues(t.Context(), victim, 99, []byte("x"))
		default:
			_, errs[i] = s.Create(t.Context(), login(i))
		}
	})
	for i, err := range errs {
		var want error
		switch i {
		case 7:
			want = store.ErrFull
		case 8:
			want = store.ErrConflict
		}
		if !errors.Is(err, want) {
			t.Errorf("operation %d: error %v, want %v", i, err, want)
		}
	}
	if found, err := s.List(t.Context(), store.Query{}); err != nil || len(found) != n-1 {
		t.Errorf("%d sessions, error %v; want %d", len(found), err, n-1)
	}
}

// limitPages lets the file grow by so many pages and no more. SQLite then fails
// as it does on a full disk.
func limitPages(t *testing.T, s *Store, more int64) {
	t.Helper()
	s.pause(func(c *conn) {
		pages, err := c.integer(`PRAGMA page_count`)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+more)); err != nil {
			t.Fatal(err)
		}
	})
}

// On a full disk a write fails as a whole, nothing that was there is lost, and
// when there is room again writes go on.
func TestFullDisk(t *testing.T) {
	s := openTest(t, Config{})
	ctx := t.Context()
	id := mustCreate(t, s, login(0))
	old := []byte("as they were")
	if err := s.SaveValues(ctx, id, 1, old); err != nil {
		t.Fatal(err)
	}
	limitPages(t, s, 4)
	c := login(1)
	c.Values = make([]byte, store.MaxValues)
	if _, err := s.Create(ctx, c); !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("Create: error %v, want %v", err, store.ErrFull)
	}
	if err := s.SaveValues(ctx, id, 2, c.Values); !errors.Is(err, store.ErrFull) {
		t.Errorf("SaveValues: error %v, want %v", err, store.ErrFull)
	}
	if _, err := s.Find(ctx, c.Session.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session that did not fit: error %v, want %v", err, store.ErrNotFound)
	}
	if got, version, err := s.Values(ctx, id); err != nil || version != 2 || !bytes.Equal(got, old) {
		t.Errorf("values %q in version %d, error %v; want them as they were", got, version, err)
	}
	limitPages(t, s, 1000)
	mustCreate(t, s, c)
}

// A store at its limit takes no new sessions, but it ends and purges those that
// it has.
func TestMaxBytes(t *testing.T) {
	s := openTest(t, Config{MaxBytes: 1 << 20})
	ctx := t.Context()
	var ids []store.SID
	for i := 0; ; i++ {
		c := login(i)
		c.Values = make([]byte, 32<<10)
		created, err := s.Create(ctx, c)
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, created.ID); len(ids) > 100 {
			t.Fatal("3 MiB of values in a store of 1 MiB")
		}
	}
	if err := s.SaveValues(ctx, ids[0], 1, []byte("x")); !errors.Is(err, store.ErrFull) {
		t.Errorf("SaveValues: error %v, want %v", err, store.ErrFull)
	}
	for _, id := range ids {
		if ended, err := s.End(ctx, id, 0); err != nil || ended.Count != 1 {
			t.Fatalf("End in a full store: %v, error %v", ended, err)
		}
	}
	mustCreate(t, s, login(0))
}

// "When ctx ends before the store has begun to write, nothing was written and
// the context's error is returned."
func TestContextEndsBefore(t *testing.T) {
	s := openTest(t, Config{})
	c := login(0)
	s.pause(func(*conn) {
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error)
		go func() {
			_, err := s.Create(ctx, c)
			cancelled <- err
		}()
		cancel()
		if err := <-cancelled; !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrIndeterminate) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
	mustCreate(t, s, login(1)) // whatever was waiting has had its turn now
	if _, err := s.Find(t.Context(), c.Session.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session: error %v, want %v", err, store.ErrNotFound)
	}
}

// "When it ends later the error is ErrIndeterminate."
func TestContextEndsDuring(t *testing.T) {
	s := openTest(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	_, err := write(ctx, s, func(*tx) (int, error) {
		cancel()
		<-release
		return 1, nil
	})
	close(release)
	if !errors.Is(err, store.ErrIndeterminate) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v for %v", err, store.ErrIndeterminate, context.Canceled)
	}
}

// "Writes that were acknowledged are safe; methods called later return an
// error." Those that wait when Close is called are written, or told.
func TestCloseUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openAt(t, path, Config{})
	var mu sync.Mutex
	var acknowledged []store.SID
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				created, err := s.Create(t.Context(), login(i))
				if err != nil {
					if !errors.Is(err, errClosed) {
						t.Errorf("error %v, want %v", err, errClosed)
					}
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, created.ID)
				mu.Unlock()
			}
		})
	}
	mustCreate(t, s, login(0))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	s = openAt(t, path, Config{})
	for _, id := range acknowledged {
		if _, err := s.Find(t.Context(), id); err != nil {
			t.Fatalf("an acknowledged session: %v", err)
		}
	}
}

// The log that SQLite keeps beside the file stays bounded under load: it is
// brought into the file while writes go on.
func TestLogIsBounded(t *testing.T) {
	s := openTest(t, Config{})
	id := mustCreate(t, s, login(0))
	longest := 0
	s.pause(func(c *conn) {
		c.WALHook(func(c *sqlite3.Conn, schema string, pages int) error {
			longest = max(longest, pages)
			return s.writer.checkpoints.logGrew(c, schema, pages)
		})
	})
	written := 0
	for version := uint64(1); written < 6*checkpointPages*4096; version++ {
		values := bytes.Repeat([]byte{byte(version)}, 512<<10)
		written += len(values)
		if err := s.SaveValues(t.Context(), id, version, values); err != nil {
			t.Fatal(err)
		}
	}
	if longest > 3*checkpointPages {
		t.Errorf("the log reached %d pages after writing %d, want at most %d", longest, written/4096, 3*checkpointPages)
	}
}
