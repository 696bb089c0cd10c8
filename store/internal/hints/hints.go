// Package hints tells those who watch a store, in one process, that its log has
// grown or that somebody waits.
package hints

import (
	"context"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Watchers are the calls of a store's Watch that are under way. The zero
// Watchers is ready, and safe for concurrent use.
type Watchers struct {
	// Poll, unless it is nil, is called by each Watch in such intervals, and
	// returns the head of the log. Its error ends the Watch.
	Poll     func() (store.Cursor, error)
	Interval time.Duration

	mu       sync.Mutex
	closed   error // what Watch returns when the store has closed
	watching map[*watcher]struct{}
}

// A watcher is told by channels that hold one hint of each kind, so that
// whoever sends waits for nobody.
type watcher struct {
	grew, beat chan struct{}
	closed     chan struct{}
}

// Send gives a hint to everybody who watches.
func (w *Watchers) Send(hint store.Hint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.watching {
		c := one.grew
		if hint == store.BeatNow {
			c = one.beat
		}
		select {
		case c <- struct{}{}:
		default: // one is waiting already
		}
	}
}

// Watch is what [store.Store] says of it.
func (w *Watchers) Watch(ctx context.Context, hint func(store.Hint)) error {
	one, err := w.add()
	if err != nil {
		return err
	}
	defer w.remove(one)

	var tick <-chan time.Time
	var last store.Cursor
	if w.Poll != nil {
		if last, err = w.Poll(); err != nil {
			return err
		}
		ticker := time.NewTicker(w.Interval)
		defer ticker.Stop()
		tick = ticker.C
	}
	hint(store.LogGrew)
	for {
		select {
		case <-one.grew:
			hint(store.LogGrew)
		case <-one.beat:
			hint(store.BeatNow)
		case <-tick:
			before := last
			if last, err = w.Poll(); err != nil {
				return err
			}
			if last != before {
				hint(store.LogGrew)
			}
		case <-ctx.Done():
			return nil
		case <-one.closed:
			return w.closed
		}
	}
}

func (w *Watchers) add() (*watcher, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil {
		return nil, w.closed
	}
	if w.watching == nil {
		w.watching = map[*watcher]struct{}{}
	}
	one := &watcher{make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})}
	w.watching[one] = struct{}{}
	return one, nil
}

func (w *Watchers) remove(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watching, one)
}

// Close ends every Watch, and those that begin later, with the error.
func (w *Watchers) Close(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil {
		return
	}
	w.closed = err
	for one := range w.watching {
		close(one.closed)
	}
}
