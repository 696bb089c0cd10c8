package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// touchShare is how long a batch of touches is written before others may write.
const touchShare = 3 * time.Millisecond

// Touch implements [store.Store]. A large batch is written in several
// transactions.
func (s *Store) Touch(ctx context.Context, touches []store.Touch) error {
	if len(touches) > store.MaxTouchSize {
		return fmt.Errorf("%w: at most %d touches at once", store.ErrTooLarge, store.MaxTouchSize)
	}
	touches = slices.Clone(touches)
	// Neighbours in the file are written together.
	slices.SortFunc(touches, func(a, b store.Touch) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for len(touches) > 0 {
		done, err := write(ctx, s, func(t *tx) (int, error) { return t.touch(touches) })
		if err != nil {
			return err
		}
		touches = touches[done:]
	}
	return ctx.Err()
}

// touch returns how many touches it got done in its share of the time.
func (t *tx) touch(touches []store.Touch) (int, error) {
	began := time.Now()
	for i, touch := range touches {
		at := touch.At
		if at.After(t.now) {
			at = t.now
		}
		if _, err := t.exec(`UPDATE session SET last_seen = ?4 WHERE `+live+` AND sid = ?3 AND last_seen < ?4`,
			t.epoch, t.now, touch.ID, at); err != nil {
			return 0, err
		}
		if time.Since(began) >= touchShare {
			return i + 1, nil
		}
	}
	return len(touches), nil
}
