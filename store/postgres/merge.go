package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/counterfoil/counterfoil/store"
)

// Merge implements [store.Store].
func (s *Store) Merge(ctx context.Context, entries []store.Entry) error {
	if len(entries) > store.MaxBatch {
		return fmt.Errorf("%w: at most %d entries at once", store.ErrTooLarge, store.MaxBatch)
	}
	entries = slices.Clone(entries)
	_, err := write(ctx, s, operation[struct{}]{
		size:  rowSize * len(entries),
		needs: func(n *needs) { n.merge(entries) },
		decide: func(g *group, _ *struct{}) error {
			for _, e := range entries {
				g.merge(e)
			}
			return nil
		},
	})
	return err
}

// merge: the head is locked from the look at the log to the commit, so that two
// nodes that know the same do not both append it.
func (n *needs) merge(entries []store.Entry) {
	n.log, n.planned = true, true
	for _, e := range entries {
		put(&n.entries, e.Session, true)
		if e.Kind == store.AllEnded {
			n.everybody = true
		} else {
			n.session(e.Session)
		}
	}
}

func (g *group) merge(e store.Entry) {
	if g.logged[loggedKey{e.Kind, e.Session}] || !e.Expires.After(g.now) {
		return
	}
	if e.Kind == store.AllEnded {
		g.endAll(entry{expires: e.Expires})
	} else if r := g.sessions[e.Session]; g.live(r) {
		g.remove(r)
	}
	g.log(entry{kind: e.Kind, id: e.Session, expires: e.Expires})
}
