package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
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

// A writer is the goroutine that makes a store's writes to sessions. It commits
// those that come at the same time together: a commit costs a write to the disk,
// or to a standby, however much it holds.
type writer struct {
	store *Store
	limit int // of the jobs in a group

	jobs    chan *job
	slots   chan struct{}  // holds one for each group under way
	groups  sync.WaitGroup // that are being written
	closing chan struct{}  // closed: take no more jobs
	exited  chan struct{}  // closed: no job is answered any more
	stopped sync.Once
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
	w := &writer{
		store:   s,
		limit:   maxJobs,
		jobs:    make(chan *job, maxJobs),
		slots:   make(chan struct{}, groupsAtOnce),
		closing: make(chan struct{}),
		exited:  make(chan struct{}),
	}
	go w.loop()
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
	select {
	case <-w.closing:
		return errClosed
	default:
	}
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	var why error
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		why = ctx.Err()
	case <-w.exited:
		why = errClosed
	}
	if j.taken.CompareAndSwap(false, true) {
		return why // it was not begun, and will not be
	}
	select {
	case <-j.done:
		return j.err
	default:
		return fmt.Errorf("%w: %w", store.ErrIndeterminate, why)
	}
}

// stop ends the writer after the jobs that wait.
func (w *writer) stop() {
	w.stopped.Do(func() { close(w.closing) })
	<-w.exited
}

func (w *writer) loop() {
	defer close(w.exited)
	defer w.groups.Wait()
	for {
		w.slots <- struct{}{}
		first := w.first()
		if first == nil {
			return
		}
		jobs := w.take(first)
		w.groups.Go(func() {
			defer func() { <-w.slots }()
			w.answer(jobs, w.commit(jobs))
		})
	}
}

// first waits for a job. It returns nil when none is to come.
func (w *writer) first() *job {
	select {
	case j := <-w.jobs:
		return j
	default:
	}
	select {
	case j := <-w.jobs:
		return j
	case <-w.closing:
		return nil
	}
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

// take returns the first job and those that wait behind it, as far as a group
// goes.
func (w *writer) take(first *job) []*job {
	// Those who have just been answered may be about to write again: with them
	// the group is larger.
	runtime.Gosched()
	jobs, size := []*job{first}, first.size
	for len(jobs) < w.limit && size < maxSize {
		select {
		case j := <-w.jobs:
			jobs, size = append(jobs, j), size+j.size
		default:
			return jobs
		}
	}
	return jobs
}

// commit writes what the jobs decide. Where a write of another node has got in
// between they decide again.
func (w *writer) commit(jobs []*job) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.store.timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := w.store.attempt(ctx, jobs)
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
