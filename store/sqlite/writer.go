package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/internal/hints"
)

// groupTime is how long a group takes operations in before it commits. It
// bounds how long a write waits for those before it.
const groupTime = 10 * time.Millisecond

// A writer is the goroutine that makes all the writes of a store. It commits
// those that come at the same time together: a commit costs an fsync, however
// much it holds.
type writer struct {
	conn        *conn
	clock       *store.Clock
	maxBytes    int64
	groupTime   time.Duration
	checkpoints *checkpointer
	watchers    *hints.Watchers   // are told when the log has grown
	last        func(t *tx) error // is done at the end

	jobs    chan *job
	closing chan struct{} // closed: take no more jobs
	done    sync.WaitGroup
	exited  chan struct{} // closed: no job is answered any more
}

// A job is an operation that waits for the writer.
type job struct {
	run   func(*tx) error // its error is an answer; what it wrote is committed nevertheless
	taken atomic.Bool     // by the writer, or by the caller who gives up
	err   error
	done  chan struct{}
}

func startWriter(s *Store, c, checkpoints *conn, maxBytes int64) *writer {
	w := &writer{
		conn:      c,
		clock:     &s.clock,
		maxBytes:  maxBytes,
		watchers:  &s.watchers,
		last:      s.leaveNodes,
		groupTime: groupTime,
		jobs:      make(chan *job, 256),
		closing:   make(chan struct{}),
		exited:    make(chan struct{}),
	}
	w.checkpoints = startCheckpointer(checkpoints)
	c.WALHook(w.checkpoints.logGrew)
	w.done.Go(w.loop)
	return w
}

// write has the writer run an operation, and returns when that is on the disk.
//
// The operation decides before it writes: an error that it returns is the
// caller's answer, and undoes nothing. It may run more than once, if the
// transaction was undone.
func write[T any](ctx context.Context, s *Store, op func(*tx) (T, error)) (T, error) {
	var out, none T
	j := &job{done: make(chan struct{})}
	j.run = func(t *tx) (err error) {
		out, err = op(t)
		return err
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
	if w.isClosing() {
		return errClosed
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

func (w *writer) isClosing() bool {
	select {
	case <-w.closing:
		return true
	default:
		return false
	}
}

func (w *writer) loop() {
	defer close(w.exited)
	for {
		select {
		case j := <-w.jobs:
			w.group(j)
			continue
		default:
		}
		select {
		case j := <-w.jobs:
			w.group(j)
		case <-w.closing:
			return
		}
	}
}

// group commits a job together with those that wait by then.
func (w *writer) group(first *job) {
	// Those who have just been answered may be about to write again: with them
	// the group is larger.
	runtime.Gosched()

	w.checkpoints.turn.Lock()
	defer w.checkpoints.turn.Unlock()

	t, err := begin(w.conn, w.clock, w.maxBytes)
	// Jobs are taken once the lock is held: whoever gave up until then has
	// written nothing.
	var jobs []*job
	for j := range w.waiting(first) {
		jobs = append(jobs, j)
		if err == nil {
			if err = j.apply(t); err != nil {
				err = t.rollback(err)
			}
		}
	}
	began := t != nil
	if err == nil {
		err = w.finish(t)
	}
	if began && len(jobs) > 1 && undone(err) {
		// One of them can't be done; the others must not suffer for it.
		for _, j := range jobs {
			j.answer(w.alone(j))
		}
		return
	}
	for _, j := range jobs {
		j.answer(err)
	}
}

// waiting yields the first job and those that wait behind it, for as long as
// the group is open.
func (w *writer) waiting(first *job) func(func(*job) bool) {
	return func(yield func(*job) bool) {
		opened := time.Now()
		for j := first; ; {
			if j.taken.CompareAndSwap(false, true) && !yield(j) {
				return
			}
			if time.Since(opened) >= w.groupTime {
				return
			}
			select {
			case j = <-w.jobs:
			default:
				return
			}
		}
	}
}

// alone commits one job in a transaction of its own.
func (w *writer) alone(j *job) error {
	t, err := begin(w.conn, w.clock, w.maxBytes)
	if err != nil {
		return err
	}
	if err := j.apply(t); err != nil {
		return t.rollback(err)
	}
	return w.finish(t)
}

// finish commits, and tells those who watch if the log has grown.
func (w *writer) finish(t *tx) error {
	err := t.finish()
	if t.grew && !undone(err) {
		w.watchers.Send(store.LogGrew)
	}
	return err
}

// apply runs the operation. It returns only errors of the database; those that
// answer the caller are kept for him.
func (j *job) apply(t *tx) error {
	j.err = j.run(t)
	if isSQLite(j.err) {
		return j.err
	}
	return nil
}

// answer tells the caller the outcome: the transaction's error, or else the
// operation's own.
func (j *job) answer(err error) {
	if err != nil {
		j.err = failure(err)
	}
	close(j.done)
}

// stop ends the writer after the jobs that wait, and the checkpointer.
func (w *writer) stop() error {
	close(w.closing)
	w.done.Wait()
	return errors.Join(w.takeLeave(), w.checkpoints.stop(), w.emptyLog())
}

// takeLeave makes the last write, and with it writes the time down for the next
// process: tokens may have been issued since the one before.
func (w *writer) takeLeave() error {
	j := &job{run: func(t *tx) error {
		if err := w.last(t); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE meta SET clock = ?`, t.now)
		return err
	}}
	err := w.alone(j)
	if err == nil || errors.Is(err, sqlite3.BUSY) {
		return nil // another process writes, and with that the time
	}
	return failure(err)
}

// emptyLog brings what the log holds into the file.
func (w *writer) emptyLog() error {
	_, _, err := w.conn.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	if errors.Is(err, sqlite3.BUSY) {
		return nil // another process goes on with it
	}
	return err
}

// commitError tells two kinds of failed commits apart. When there is no room
// the log could not be written, so it has not happened. After any other error
// it may be in the log, and a restart may find it there.
func commitError(err error) error {
	if errors.Is(err, sqlite3.FULL) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrIndeterminate, err)
}

// undone reports whether the transaction failed and certainly left nothing.
func undone(err error) bool {
	return err != nil && !errors.Is(err, store.ErrIndeterminate)
}

func isSQLite(err error) bool {
	var code sqlite3.ErrorCode
	return errors.As(err, &code)
}

// failure is an error of the database as the caller gets it.
func failure(err error) error {
	if errors.Is(err, sqlite3.FULL) {
		return fmt.Errorf("%w: sqlite: no room for the write: %w", store.ErrFull, err)
	}
	return fmt.Errorf("sqlite: %w", explain(err))
}
