package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/counterfoil/counterfoil/store"
)

// touchBatch is how many touches are written before others may write.
const touchBatch = 512

// Touch implements [store.Store]. A large batch is written in several
// transactions.
func (s *Store) Touch(ctx context.Context, touches []store.Touch) error {
	if len(touches) > store.MaxTouchSize {
		return fmt.Errorf("%w: at most %d touches at once", store.ErrTooLarge, store.MaxTouchSize)
	}
	touches = slices.Clone(touches)
	// Neighbours in the index are written together.
	slices.SortFunc(touches, func(a, b store.Touch) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for batch := range slices.Chunk(touches, touchBatch) {
		if _, err := write(ctx, s, operation[struct{}]{
			size: rowSize * len(batch),
			needs: func(n *needs) {
				n.planned = true
				for _, t := range batch {
					n.session(t.ID)
				}
			},
			decide: func(g *group, _ *struct{}) error {
				g.touch(batch)
				return nil
			},
		}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (g *group) touch(touches []store.Touch) {
	for _, t := range touches {
		r := g.sessions[t.ID]
		if !g.live(r) || r.fresh { // added in this moment: it is not older
			continue
		}
		if g.touched == nil {
			g.touched = map[store.SID]int64{}
		}
		g.touched[t.ID] = max(g.touched[t.ID], min(millis(t.At), g.now.UnixMilli()))
	}
}
