package counterfoil

import (
	"context"
	"errors"
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
// streams. Without a session the context is
// cancelled from the start, with ErrNoSession.
func (m *Manager) UntilEnd(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	session := FromContext(ctx)
	watched, cancelCause := context.WithCancelCause(ctx)
	if session.record.ID.IsZero() {
		cancelCause(ErrNoSession)
		return watched, func() {}
	}
	w := &watcher{id: session.record.ID, user: session.User(), cancel: cancelCause}
	remove := m.watchers.add(w, m.clock.Now())
	// It may have ended before it was watched: ask once more.
	w.check(watched, m)
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
	wake   chan struct{} // rouses the follower

	// asOf is a time up to which every end has been told to every watcher.
	asOf time.Time

	// Only the follower uses these: the place in the log up to which it has
	// read, and whether it has begun to.
	cursor store.Cursor
	synced bool
}

type watcher struct {
	id      store.SID
	user    string
	cancel  context.CancelCauseFunc
	expires time.Time // by the store's clock; guarded by watchers.mu
}

func (ws *watchers) add(w *watcher, now time.Time) (remove func()) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		w.cancel(errClosed)
		return func() {}
	}
	if ws.live == nil {
		ws.live = map[store.SID]map[*watcher]struct{}{}
	}
	if len(ws.live) == 0 {
		ws.asOf = now
	}
	if ws.live[w.id] == nil {
		ws.live[w.id] = map[*watcher]struct{}{}
	}
	ws.live[w.id][w] = struct{}{}
	rouse(ws.wake)
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

// cancelIf ends the streams that match.
func (ws *watchers) cancelIf(cause error, match func(*watcher) bool) {
	for _, w := range ws.all() {
		if match(w) {
			ws.cancel(w.id, cause)
		}
	}
}

func (ws *watchers) cancelUser(user string, except store.SID, cause error) {
	ws.cancelIf(cause, func(w *watcher) bool { return w.user == user && w.id != except })
}

func (ws *watchers) cancelAll(cause error) {
	ws.cancelIf(cause, func(*watcher) bool { return true })
}

// close tells everybody, and whoever comes later.
func (ws *watchers) close() {
	ws.mu.Lock()
	ws.closed = true
	ws.mu.Unlock()
	ws.cancelAll(errClosed)
}

func (ws *watchers) all() []*watcher {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var list []*watcher
	for _, same := range ws.live {
		for w := range same {
			list = append(list, w)
		}
	}
	return list
}

// check asks the store about the watcher's session, and notes until when that
// answer holds.
func (w *watcher) check(ctx context.Context, m *Manager) {
	record, err := m.store.Find(ctx, w.id)
	ws := &m.watchers
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if err != nil {
		w.cancel(fromStore(err))
		ws.forget(w)
		return
	}
	w.expires = record.Expires()
}

// followInterval is how often the log is read.
func (m *Manager) followInterval() time.Duration { return m.config.Bound / 5 }

// followEnds reads the store's log of ended sessions and tells the watchers. It
// returns false when nobody watches any more.
//
// When the store does not answer it cancels them all before Config.Bound has
// passed: they could be logged out by now.
func (m *Manager) followEnds(ctx context.Context) bool {
	ws := &m.watchers
	if len(ws.all()) == 0 {
		ws.synced = false
		return false
	}
	asked := m.clock.Now() // before the question: an answer is as old as that
	deadline := ws.lastTold().Add(m.config.Bound)
	question, cancel := context.WithTimeout(ctx, max(deadline.Sub(asked), time.Millisecond))
	defer cancel()
	err := m.readLog(question)
	if err == nil {
		m.checkWatchers(question, func(w *watcher) bool { return !w.expires.After(asked) })
		ws.told(asked)
		return true
	}
	m.reportIf(ctx, "ended sessions could not be read", err)
	if next := m.clock.Now().Add(m.followInterval()); next.After(deadline) {
		ws.cancelAll(wrap(ErrUnavailable, err))
	}
	return true
}

func (ws *watchers) lastTold() time.Time {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.asOf
}

func (ws *watchers) told(asOf time.Time) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.asOf = asOf
}

// readLog tells every end since the last time. At the start and after a gap in
// the log it asks about each watcher instead.
func (m *Manager) readLog(ctx context.Context) error {
	ws := &m.watchers
	for {
		if !ws.synced {
			return m.catchUp(ctx)
		}
		news, err := m.store.Follow(ctx, ws.cursor, store.MaxBatch)
		if errors.Is(err, store.ErrUnknownCursor) {
			ws.synced = false
			continue
		}
		if err != nil {
			return err
		}
		m.clock.Advance(news.Now)
		for _, entry := range news.Entries {
			m.tell(ctx, entry)
			ws.cursor = entry.Cursor
		}
		if len(news.Entries) == 0 || ws.cursor == news.Head {
			return nil
		}
	}
}

// catchUp begins to follow at the log's head. What ended before is not told, so
// it asks about every watcher.
func (m *Manager) catchUp(ctx context.Context) error {
	news, err := m.store.Snapshot(ctx)
	if err != nil {
		return err
	}
	m.watchers.cursor, m.watchers.synced = news.Head, true
	m.checkWatchers(ctx, func(*watcher) bool { return true })
	return nil
}

func (m *Manager) tell(ctx context.Context, entry store.Entry) {
	if entry.Kind == store.AllEnded {
		// Sessions that began after the entry live on: ask.
		m.checkWatchers(ctx, func(*watcher) bool { return true })
		return
	}
	m.watchers.cancel(entry.Session, ErrEnded)
}

// checkWatchers asks the store about those that match. A session that was kept
// alive by other requests goes on; one that has run out is told.
func (m *Manager) checkWatchers(ctx context.Context, match func(*watcher) bool) {
	for _, w := range m.watchers.all() {
		m.watchers.mu.Lock()
		due := match(w)
		m.watchers.mu.Unlock()
		if due {
			w.check(ctx, m)
		}
	}
}
