package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
)

// hold runs writes that can't go on before release is called, as many as there
// may be groups, so that none can begin. It returns the outcome of the first.
func hold(ctx context.Context, s *Store) (ended <-chan error, release func()) {
	goOn, held := make(chan struct{}), make(chan error, groupsAtOnce)
	for range groupsAtOnce {
		begun := make(chan struct{})
		go func() {
			held <- doWrite(ctx, s, func(*group) error { close(begun); <-goOn; return nil })
		}()
		<-begun
	}
	return held, func() { close(goOn) }
}

// waiting tells how many jobs wait for the writer.
func waiting(s *Store) int {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	return len(s.writer.waiting)
}

// together starts n writes so that they wait at the same time, in this order,
// behind one that can't go on.
func together(t *testing.T, s *Store, n int, write func(i int)) {
	t.Helper()
	held, release := hold(t.Context(), s)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { write(i) })
		for waiting(s) <= i {
			time.Sleep(100 * time.Microsecond)
		}
	}
	release()
	wg.Wait()
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// doWrite has the writer run an operation that is about nothing.
func doWrite(ctx context.Context, s *Store, decide func(*group) error) error {
	_, err := write(ctx, s, operation[struct{}]{
		needs:  func(*needs) {},
		decide: func(g *group, _ *struct{}) error { return decide(g) },
	})
	return err
}

// "Writes that come at the same time are committed together, in one
// transaction", whatever they are, and each has an answer of its own.
func TestGroup(t *testing.T) {
	url := servers.Postgres(t)
	s := openAt(t, url, Config{})
	c := connect(t, url)
	ctx := t.Context()
	ids := make([]store.SID, 40)
	clients(t, 8, len(ids), func(i int) error {
		c := login(i)
		ids[i] = c.Session.ID
		_, err := s.Create(ctx, c)
		return err
	})
	errs := make([]error, 160)
	counts := make([]int, 160)
	before := transactions(t, c)
	together(t, s, 160, func(i int) {
		switch id := ids[i%40]; {
		case i < 40:
			_, errs[i] = s.Create(ctx, login(1000+i))
		case i < 80 && i%2 == 0: // ends, twice each
			e, err := s.End(ctx, id, time.Hour)
			counts[i], errs[i] = e.Count, err
		case i < 120 && i%2 == 0:
			e, err := s.End(ctx, id, time.Hour)
			counts[i], errs[i] = e.Count, err
		case i < 80:
			errs[i] = s.SaveValues(ctx, id, 1, []byte("values"))
		case i < 120:
			errs[i] = s.SaveValues(ctx, id, 99, []byte("values"))
		default:
			errs[i] = s.Touch(ctx, []store.Touch{{ID: id, At: time.Now()}})
		}
	})
	if n := transactions(t, c) - before; n > 3 { // one, the one that held them up, and the count
		t.Errorf("160 writes at once took %d transactions", n)
	}
	for i, err := range errs {
		var want error
		if i >= 80 && i < 120 && i%2 == 1 {
			want = store.ErrConflict
		}
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("operation %d: error %v, want %v", i, err, want)
		}
		if i >= 40 && i < 80 && i%2 == 0 && counts[i]+counts[i+40] != 1 {
			t.Errorf("a session was ended %d times", counts[i]+counts[i+40])
		}
	}
	if found, err := s.List(ctx, store.Query{}); err != nil || len(found) != 40+20 {
		t.Errorf("%d sessions, error %v; want 60", len(found), err)
	}
}

// transactions returns the number of the next transaction that writes, having
// spent one.
func transactions(t *testing.T, c *pgx.Conn) (n int64) {
	t.Helper()
	if err := c.QueryRow(t.Context(), `SELECT pg_current_xact_id()::text::bigint`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Operations of a group see what those before them have decided, as if each had
// been committed alone.
func TestGroupInOrder(t *testing.T) {
	s := openAt(t, servers.Postgres(t), Config{})
	ctx := t.Context()
	c := login(0)
	c.Values = []byte("first")
	old := mustCreate(t, s, c)
	next := login(0)
	next.Replaces, next.Inherit = old, true
	limited := login(0)
	limited.Limit = 1
	steps := []struct {
		name string
		do   func() error
		want error
	}{
		{"save", func() error { return s.SaveValues(ctx, old, 1, []byte("second")) }, nil},
		{"save again", func() error { return s.SaveValues(ctx, old, 1, []byte("lost")) }, store.ErrConflict},
		{"replace", func() error { _, err := s.Create(ctx, next); return err }, nil},
		{"save what was replaced", func() error { return s.SaveValues(ctx, old, 2, []byte("late")) }, store.ErrNotFound},
		{"replace what was replaced", func() error {
			again := login(0)
			again.Replaces = old
			_, err := s.Create(ctx, again)
			return err
		}, store.ErrNotFound},
		{"the id again", func() error { _, err := s.Create(ctx, next); return err }, store.ErrConflict},
		{"touch what was replaced", func() error { return s.Touch(ctx, []store.Touch{{ID: old, At: time.Now()}}) }, nil},
	}
	errs := make([]error, len(steps))
	together(t, s, len(steps), func(i int) { errs[i] = steps[i].do() })
	for i, step := range steps {
		if !errors.Is(errs[i], step.want) {
			t.Errorf("%s: error %v, want %v", step.name, errs[i], step.want)
		}
	}
	if values, version, err := s.Values(ctx, next.Session.ID); err != nil || version != 1 || string(values) != "second" {
		t.Errorf("the new session inherited %q in version %d, error %v; want what was saved a moment before", values, version, err)
	}

	// All of the user's sessions end, one after the other in the same group: each
	// has its entry in the log, also one that nobody ever saw.
	generation, err := s.Generation(ctx, "user-0")
	if err != nil {
		t.Fatal(err)
	}
	late := login(0)
	late.Generation = generation
	together(t, s, 5, func(i int) {
		switch i {
		case 0, 1:
			c := limited
			c.Session.ID = store.NewSID(time.Now())
			_, errs[i] = s.Create(ctx, c)
		case 2:
			_, errs[i] = s.EndUser(ctx, "user-0", store.SID{}, time.Hour)
		case 3:
			_, errs[i] = s.Create(ctx, late)
		case 4:
			_, errs[i] = s.EndAll(ctx, time.Hour)
		}
	})
	for i, want := range []error{nil, nil, nil, store.ErrSuperseded, nil} {
		if !errors.Is(errs[i], want) {
			t.Errorf("step %d: error %v, want %v", i, errs[i], want)
		}
	}
	if found, err := s.List(ctx, store.Query{}); err != nil || len(found) != 0 {
		t.Errorf("%d sessions are left, error %v", len(found), err)
	}
	if news, err := s.Snapshot(ctx); err != nil || len(news.Entries) != 5 { // old, next, two logins, all
		t.Errorf("%d entries in the log, error %v; want 5", len(news.Entries), err)
	}
}

// An operation that the database can't do undoes none of the others.
func TestGroupFailure(t *testing.T) {
	s := openAt(t, servers.Postgres(t), Config{})
	errs := make([]error, 20)
	together(t, s, len(errs), func(i int) {
		if i == 7 {
			errs[i] = doWrite(t.Context(), s, func(g *group) error {
				g.insertions = append(g.insertions, &insertion{epoch: 1, values: make([]byte, 1)}, &insertion{epoch: 1}) // one id twice
				return nil
			})
			return
		}
		_, errs[i] = s.Create(t.Context(), login(i))
	})
	for i, err := range errs {
		if (err != nil) != (i == 7) {
			t.Errorf("operation %d: error %v", i, err)
		}
	}
}

// An id that exists, which a group finds when it inserts it, is its caller's error
// alone: the others are committed together all the same.
func TestGroupOfExistingID(t *testing.T) {
	url := servers.Postgres(t)
	s := openAt(t, url, Config{})
	c := connect(t, url)
	again := login(0)
	ended := mustCreate(t, s, again)
	if _, err := s.EndAll(t.Context(), time.Hour); err != nil { // its row stays
		t.Fatal(err)
	}
	taken := login(1)
	mustCreate(t, s, taken)
	errs := make([]error, 20)
	before := transactions(t, c)
	together(t, s, len(errs), func(i int) {
		switch i {
		case 7:
			_, errs[i] = s.Create(t.Context(), taken)
		case 8:
			_, errs[i] = s.Create(t.Context(), again)
		default:
			_, errs[i] = s.Create(t.Context(), login(i))
		}
	})
	if n := transactions(t, c) - before; n > 3 { // one that is undone, one that is not, and the count
		t.Errorf("20 writes at once took %d transactions", n)
	}
	for i, err := range errs {
		if i == 7 && !errors.Is(err, store.ErrConflict) || i != 7 && err != nil {
			t.Errorf("operation %d: error %v", i, err)
		}
	}
	if _, err := s.Find(t.Context(), ended); err != nil {
		t.Errorf("the id of a session that EndAll had ended, used again: %v", err)
	}
}

// A group holds locks while it is written: it ends with the job that makes it
// too large, and those behind that wait for the next one.
func TestGroupSize(t *testing.T) {
	for _, c := range []struct {
		name             string
		size, jobs, want int
	}{
		{"small ones", 0, 5, 5},
		{"many", 0, maxJobs + 1, maxJobs},
		{"large values", store.MaxValues, maxSize/store.MaxValues + 9, maxSize / store.MaxValues},
		{"touches of many sessions", rowSize * touchBatch, 32, 16},
		{"larger than a group", 2 * maxSize, 2, 1},
	} {
		w := &writer{limit: maxJobs}
		for range c.jobs {
			w.waiting = append(w.waiting, &job{size: c.size})
		}
		if jobs := w.take(); len(jobs) != c.want || len(w.waiting) != c.jobs-c.want {
			t.Errorf("%s: a group of %d, %d wait; want %d of %d in the group", c.name, len(jobs), len(w.waiting), c.want, c.jobs)
		}
	}
}

// "When ctx ends before the store has begun to write, nothing was written and
// the context's error is returned." And: "When it ends later the error is
// ErrIndeterminate."
func TestContextEnds(t *testing.T) {
	s := openAt(t, servers.Postgres(t), Config{})
	c := login(0)
	ctx, cancel := context.WithCancel(t.Context())
	under, release := hold(ctx, s)
	waits := make(chan error, 1)
	go func() { _, err := s.Create(ctx, c); waits <- err }()
	for waiting(s) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-under; !errors.Is(err, store.ErrIndeterminate) || !errors.Is(err, context.Canceled) {
		t.Errorf("under way: error %v, want %v for %v", err, store.ErrIndeterminate, context.Canceled)
	}
	if err := <-waits; !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("waiting: error %v, want %v", err, context.Canceled)
	}
	if n := waiting(s); n > 0 {
		t.Errorf("%d jobs wait whose callers have given up", n)
	}
	release()
	mustCreate(t, s, login(1)) // whatever was waiting has had its turn now
	if _, err := s.Find(t.Context(), c.Session.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session: error %v, want %v", err, store.ErrNotFound)
	}
}

// Positions are dense and in the order of commits, whichever node appends: a
// follower who goes on from each answer misses nothing, and does not see
// anything twice.
func TestFollowerOfManyWriters(t *testing.T) {
	url := servers.Postgres(t)
	nodes := []*Store{openAt(t, url, Config{}), openAt(t, url, Config{}), openAt(t, url, Config{})}
	var mu sync.Mutex
	ended := map[store.SID]bool{}
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			clients(t, 4, 100, func(i int) error {
				c := login(rand.IntN(20)) // users collide, so locks do
				c.Limit = 3
				s := nodes[(w+i)%3]
				made, err := s.Create(t.Context(), c)
				if err != nil {
					return err
				}
				switch i % 10 {
				case 0:
					_, err = s.EndUser(t.Context(), c.Session.User, store.SID{}, time.Hour)
				case 1:
					_, err = nodes[w%3].EndAll(t.Context(), time.Hour)
				default:
					var e store.Ended
					if e, err = nodes[(w+1)%3].End(t.Context(), made.ID, time.Hour); e.Count == 1 {
						mu.Lock()
						ended[made.ID] = true
						mu.Unlock()
					}
				}
				return err
			})
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()

	s := openAt(t, url, Config{})
	var at store.Cursor
	seen := map[store.SID]bool{}
	for last := false; ; {
		news, err := s.Beat(t.Context(), store.Beat{After: at, Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range news.Entries {
			if e.Pos != at.Pos+1 || seen[e.Session] {
				t.Fatalf("after %d comes %d, for %v", at.Pos, e.Pos, e.Session)
			}
			at, seen[e.Session] = e.Cursor, true
		}
		if last && at == news.Head {
			break
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
	for id := range ended {
		if !seen[id] {
			t.Fatalf("the follower missed the end of %v", id)
		}
	}
	t.Logf("%d entries, %d of them by End", at.Pos, len(ended))
}
