package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// What bounds a group: it holds locks while it is written.
const (
	maxJobs = 512
	maxSize = 4 << 20 // no more jobs are added then
	rowSize = 512     // what the name of a session counts for
)

// attempts is how often a group is tried that the server has undone, since it
// collided with another node's.
const attempts = 5

// groupsAtOnce is how many groups are under way: while one is written, the
// next is collected and decided.
const groupsAtOnce = 2

// A writer makes a store's writes to sessions, by a goroutine for each group that
// may be under way. It commits those that come at the same time together: a commit
// costs a write to the disk, or to a standby, however much it holds.
type writer struct {
	store *Store
	limit int // of the jobs in a group
	loops sync.WaitGroup

	mu      sync.Mutex
	more    *sync.Cond // a job waits, or none is to come
	waiting []*job
	closed  bool // takes no more jobs
}

// An operation is a write to sessions.
type operation[T any] struct {
	size int // in bytes: of values, and rowSize for each session of many
	// needs says what is to be locked and read for it.
	needs func(*needs)
	// decide looks at that, and says what is to be written. An error is the
	// caller's answer, and undoes nothing. It may run more than once.
	decide func(*group, *T) error
	// committed is told the log's head, as it is after the write; nil: it does
	// not need it.
	committed func(store.Cursor, *T)
}

// A job is an operation that waits for the writer.
type job struct {
	size      int
	needs     func(*needs)
	decide    func(*group) error
	committed func(store.Cursor)
	taken     atomic.Bool // by the writer, or by the caller who gives up
	begun     bool        // by the writer
	err       error
	done      chan struct{}
}

func startWriter(s *Store) *writer {
	w := &writer{store: s, limit: maxJobs}
	w.more = sync.NewCond(&w.mu)
	for range groupsAtOnce {
		w.loops.Go(w.loop)
	}
	return w
}

// write has the writer run an operation, and returns when that is committed.
func write[T any](ctx context.Context, s *Store, op operation[T]) (T, error) {
	var out, none T
	j := &job{size: op.size, needs: op.needs, done: make(chan struct{})}
	j.decide = func(g *group) error { return op.decide(g, &out) }
	j.committed = func(head store.Cursor) {
		if op.committed != nil {
			op.committed(head, &out)
		}
	}
	if err := s.writer.submit(ctx, j); err != nil {
		return none, err // out may still be written to
	}
	return out, nil
}

func (w *writer) submit(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.queue(j) {
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
	}
	if j.taken.CompareAndSwap(false, true) {
		w.forget(j)
		return ctx.Err() // it was not begun, and will not be
	}
	select {
	case <-j.done:
		return j.err
	default:
		return fmt.Errorf("%w: %w", store.ErrIndeterminate, ctx.Err())
	}
}

// queue reports whether the job will be answered: the writer is not closed.
func (w *writer) queue(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.waiting = append(w.waiting, j)
	w.more.Signal()
	return true
}

// forget leaves out a job whose caller has given up, if it still waits.
func (w *writer) forget(j *job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.waiting, j); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
}

// stop ends the writer after the jobs that wait.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.more.Broadcast()
	w.loops.Wait()
}

func (w *writer) loop() {
	for w.await() {
		// Those who have just been answered may be about to write again: with
		// them the group is larger.
		runtime.Gosched()
		if jobs := w.take(); len(jobs) > 0 {
			w.answer(jobs, w.commit(jobs))
		}
	}
}

// await waits for a job. It reports false when none is to come.
func (w *writer) await() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) == 0 && !w.closed {
		w.more.Wait()
	}
	return len(w.waiting) > 0
}

// take returns the jobs that wait, as far as a group goes: none where another
// goroutine has taken them.
func (w *writer) take() []*job {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size := 0, 0
	for n < min(len(w.waiting), w.limit) && size < maxSize {
		size += w.waiting[n].size
		n++
	}
	group := w.waiting[:n:n]
	if w.waiting = w.waiting[n:]; len(w.waiting) == 0 {
		w.waiting = nil // else it would keep the answers in memory
	}
	return group
}

// answer tells every job the outcome of the group.
func (w *writer) answer(jobs []*job, err error) {
	apart := len(jobs) > 1 && answered(err)
	for _, j := range jobs {
		if apart {
			// One of them can't be done; the others must not suffer for it.
			j.answer(w.store, w.commit([]*job{j}))
		} else {
			j.answer(w.store, err)
		}
	}
}

// commit writes what the jobs decide. Where a write of another node has got in
// between they decide again.
func (w *writer) commit(jobs []*job) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.store.timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := w.store.attempt(ctx, jobs, attempt > 1)
		if attempt == attempts || !hasCode(err, serializationFailure, deadlockDetected, uniqueViolation) {
			return err
		}
		time.Sleep(rand.N(time.Duration(attempt) * 5 * time.Millisecond))
	}
}

// begin reports whether the caller still waits. Whoever gave up until now has
// written nothing.
func (j *job) begin() bool {
	j.begun = j.begun || j.taken.CompareAndSwap(false, true)
	return j.begun
}

// answer tells the caller the outcome: the transaction's error, or else the
// operation's own.
func (j *job) answer(s *Store, err error) {
	if err != nil {
		j.err = s.explain(context.Background(), err)
	}
	close(j.done)
}
