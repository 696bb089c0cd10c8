package counterfoil

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// measureCanary makes a session and ends it as another node would, and notes how
// long this process takes to know.
func (m *Manager) measureCanary(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, store.Longest(m.config.Bound))
	defer cancel()
	id := store.NewSID(m.now())
	_, err := m.create(ctx, store.Creation{
		Session:  store.Session{ID: id, Idle: time.Minute},
		Lifetime: time.Minute,
	})
	if err != nil {
		return err
	}
	if _, err := m.store.End(ctx, id, m.retain()); err != nil {
		return fromStore(err)
	}
	ended := time.Now()
	for wait := time.Millisecond / 8; !m.view.Ended(id); wait = min(2*wait, 10*time.Millisecond) {
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	m.canary.Store(int64(time.Since(ended)))
	return nil
}
