package counterfoil

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// UntilEnd returns a context that is cancelled when the request's session ends:
// by a logout here at once, by another process within Config.Bound, and when it
// expires. Use it for WebSockets and event streams, which outlive the check of
// their request. context.Cause tells why: ErrEnded, or ErrUnavailable where the
// store could not be asked for longer than Config.Bound.
//
// Call cancel when the stream is done. The context also ends with ctx, and with
// [Manager.Close]; close the manager before http.Server.Shutdown waits for
// streams. Without a session the context is cancelled from the start, with
// ErrNoSession.
func (m *Manager) UntilEnd(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	session := FromContext(ctx)
	watched, cancelCause := context.WithCancelCause(ctx)
	if session.id.IsZero() {
		cancelCause(ErrNoSession)
		return watched, func() {}
	}
	m.follow()
	w := &watcher{id: session.id, user: session.User(), cancel: cancelCause}
	remove := m.watchers.add(w)
	// It may have ended before it was watched: ask once more.
	m.checkWatcher(watched, w)
	context.AfterFunc(watched, remove) // also for those who forget to call cancel
	return watched, func() {
		remove()
		cancelCause(context.Canceled)
	}
}

// watchers are the streams that wait for the end of their sessions.
type watchers struct {
	mu     sync.Mutex
	closed bool // by Close: whoever comes now is told at once
	live   map[store.SID]map[*watcher]struct{}
	wake   chan struct{} // rouses checkWatchers
}

type watcher struct {
	id     store.SID
	user   string
	cancel context.CancelCauseFunc

	// Guarded by watchers.mu. By the store's clock: when the session was last
	// seen live, and when it expires if nobody uses it.
	asOf, expires time.Time
	doubted       bool // it may have ended unseen
}

func (ws *watchers) add(w *watcher) (remove func()) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		w.cancel(errClosed)
		return func() {}
	}
	if ws.live == nil {
		ws.live = map[store.SID]map[*watcher]struct{}{}
	}
	if ws.live[w.id] == nil {
		ws.live[w.id] = map[*watcher]struct{}{}
	}
	ws.live[w.id][w] = struct{}{}
	return func() {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		ws.forget(w)
	}
}

// forget is called with ws.mu held.
func (ws *watchers) forget(w *watcher) {
	delete(ws.live[w.id], w)
	if len(ws.live[w.id]) == 0 {
		delete(ws.live, w.id)
	}
}

// cancel ends the streams of one session.
func (ws *watchers) cancel(id store.SID, cause error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.live[id] {
		w.cancel(cause)
	}
	delete(ws.live, id)
}

// cancelIf ends the streams of the sessions that match.
func (ws *watchers) cancelIf(cause error, match func(*watcher) bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all() {
		if match(w) {
			w.cancel(cause)
			ws.forget(w)
		}
	}
}

func (ws *watchers) cancelUser(user string, except store.SID, cause error) {
	ws.cancelIf(cause, func(w *watcher) bool { return w.user == user && w.id != except })
}

func (ws *watchers) cancelAll(cause error) {
	ws.cancelIf(cause, func(*watcher) bool { return true })
}

// cutAt ends the streams of everybody who was there before that time. Of those
// who came in the same millisecond the store is asked.
func (ws *watchers) cutAt(t time.Time) {
	ws.cancelIf(ErrEnded, func(w *watcher) bool { return w.asOf.Before(t) && !w.asOf.IsZero() })
	ws.doubtAll()
}

// doubtAll has the store asked about everybody.
func (ws *watchers) doubtAll() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all() {
		w.doubted = true
	}
}

// close tells everybody, and whoever comes later.
func (ws *watchers) close() {
	ws.mu.Lock()
	ws.closed = true
	ws.mu.Unlock()
	ws.cancelAll(errClosed)
}

// all yields every watcher, with ws.mu held.
func (ws *watchers) all() iter.Seq[*watcher] {
	return func(yield func(*watcher) bool) {
		for _, same := range ws.live {
			for w := range same {
				if !yield(w) {
					return
				}
			}
		}
	}
}

// due returns those about whom the store is to be asked.
func (ws *watchers) due(now time.Time) (list []*watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all() {
		if w.doubted || !now.Before(w.expires) {
			w.doubted = false
			list = append(list, w)
		}
	}
	return list
}

// tend is called after each beat.
func (ws *watchers) tend() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.live) > 0 {
		rouse(ws.wake)
	}
}

// checkWatchers asks about those who are due, after each beat, until ctx ends. A
// session that was kept alive by other requests goes on; one that has run out is
// told.
func (m *Manager) checkWatchers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.watchers.wake:
		}
		for _, w := range m.watchers.due(m.now()) {
			m.checkWatcher(ctx, w)
		}
	}
}

// checkWatcher asks about the watcher's session, and notes until when that
// answer holds.
func (m *Manager) checkWatcher(ctx context.Context, w *watcher) {
	ctx, cancel := context.WithTimeout(ctx, m.config.Bound)
	defer cancel()
	var s Session
	_, err := m.recall(ctx, w.id, &s)
	ws := &m.watchers
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if err != nil {
		w.cancel(err)
		ws.forget(w)
		return
	}
	w.asOf, w.expires = s.asOf.time(), s.Expires()
}
