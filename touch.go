package counterfoil

import (
	"context"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Checking a session never writes. That it was used is noted here, at most once
// in a while for each session, and written in batches (D7).

// touches are the sessions whose use has not been written yet.
type touches struct {
	mu      sync.Mutex
	pending map[store.SID]time.Time
	wake    chan struct{} // rouses the goroutine that writes them
}

// maxPendingTouches bounds the notes while the store can't take them. What is
// not noted is lost: a session then ends a little early, never late.
const maxPendingTouches = 1 << 20

// touchAfter is how old LastSeen must be before a use counts: a twentieth of
// the idle time-out, a minute at the most.
func touchAfter(idle time.Duration) time.Duration { return min(idle/20, time.Minute) }

// touchInterval is how long a note waits for others before they are written.
func (m *Manager) touchInterval() time.Duration {
	shortest := min(m.config.IdleTimeout, m.config.RememberIdle, m.config.AnonymousLifetime)
	return max(min(shortest/20, time.Second), time.Millisecond)
}

func (m *Manager) touch(s *Session) {
	if unused := s.asOf - s.lastSeen; time.Duration(unused)*time.Millisecond < touchAfter(s.idle) {
		return
	}
	asOf := s.asOf.time()
	t := &m.touches
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending == nil {
		t.pending = map[store.SID]time.Time{}
		rouse(t.wake)
	}
	if len(t.pending) < maxPendingTouches && t.pending[s.id].Before(asOf) {
		t.pending[s.id] = asOf
	}
}

func (m *Manager) flushTouches(ctx context.Context) error {
	t := &m.touches
	t.mu.Lock()
	pending := t.pending
	t.pending = nil
	t.mu.Unlock()

	batch := make([]store.Touch, 0, min(len(pending), store.MaxTouchSize))
	for id, at := range pending {
		batch = append(batch, store.Touch{ID: id, At: at})
		if len(batch) == cap(batch) {
			if err := m.saveTouches(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return m.saveTouches(ctx, batch)
}

func (m *Manager) saveTouches(ctx context.Context, batch []store.Touch) error {
	if len(batch) == 0 {
		return nil
	}
	if err := m.store.Touch(ctx, batch); err != nil {
		return fromStore(err)
	}
	now := m.now()
	for _, t := range batch {
		m.seen.touched(t.ID, t.At, now)
	}
	return nil
}
