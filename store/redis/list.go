package redis

import (
	"context"
	"strconv"

	"github.com/counterfoil/counterfoil/store"
)

var listScript = newScript("list", reads)

// listBatch is how many sessions one script looks at.
const listBatch = 500

// List implements [store.Store]. It looks at the sessions in parts; of those
// that come or go meanwhile it may miss or hold any.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Session, error) {
	limit := q.Limit
	if limit <= 0 || limit > store.MaxBatch {
		limit = store.MaxBatch
	}
	var found []store.Session
	after := optional(q.After)
	for {
		r, err := s.run(ctx, listScript, q.User, after, strconv.Itoa(limit-len(found)), strconv.Itoa(listBatch))
		if err != nil {
			return nil, err
		}
		for _, record := range r.lists(3) {
			found = append(found, record.session(r.int(1)))
		}
		after = r.text(2)
		if *r.err != nil || after == "" || len(found) >= limit {
			return found, *r.err
		}
	}
}
