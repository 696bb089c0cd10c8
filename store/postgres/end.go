package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// End implements [store.Store]. It writes to the log's head even where the
// session is not live: once it returns, the end before it has reached the
// standbys that the server waits for, too.
func (s *Store) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	return write(ctx, s, operation[store.Ended]{
		needs: func(n *needs) { n.session(id) },
		decide: func(g *group, out *store.Ended) error {
			out.Count = g.endEach(retain, g.sessions[id])
			return nil
		},
		committed: headOf,
	})
}

// EndUser implements [store.Store].
func (s *Store) EndUser(ctx context.Context, user string, except store.SID, retain time.Duration) (store.Ended, error) {
	return write(ctx, s, operation[store.Ended]{
		needs: func(n *needs) { n.user(user, true) },
		decide: func(g *group, out *store.Ended) error {
			g.generations[user]++
			put(&g.endedAll, user, true)
			var theirs []*row
			for _, r := range g.ofUser[user] {
				if user != "" && r.id != except {
					theirs = append(theirs, r)
				}
			}
			out.Count = g.endEach(retain, theirs...)
			return nil
		},
		committed: headOf,
	})
}

// EndAll implements [store.Store]. It takes the same time however many sessions
// there are; Purge removes them later. Ended.Count is -1.
func (s *Store) EndAll(ctx context.Context, retain time.Duration) (store.Ended, error) {
	return write(ctx, s, operation[store.Ended]{
		needs: func(n *needs) { n.everybody = true },
		decide: func(g *group, out *store.Ended) error {
			g.endAll(entry{retain: retain})
			out.Count = -1
			return nil
		},
		committed: headOf,
	})
}

func headOf(head store.Cursor, out *store.Ended) { out.Head = head }

// endAll ends everybody's sessions. The table of the epoch is locked: no other
// node has a session under way that is older than the cut and is not ended by it.
func (g *group) endAll(e entry) {
	g.epoch++
	e.kind, e.id = store.AllEnded, store.NewSID(g.now)
	g.log(e)
}

// endEach ends those of the sessions that are live.
func (g *group) endEach(retain time.Duration, rows ...*row) (count int) {
	for _, r := range rows {
		if g.live(r) {
			g.end(r, retain)
			count++
		}
	}
	g.beat = true
	return count
}

// Generation implements [store.Store].
func (s *Store) Generation(ctx context.Context, user string) (generation uint64, err error) {
	err = s.read(ctx, s.timeout, func(b *pgx.Batch) {
		b.Queue(s.sql(`SELECT 1 + epoch + coalesce((SELECT ended_all FROM cf.generation WHERE user_id = $1), 0) FROM cf.epoch`), []byte(user)).
			QueryRow(func(r pgx.Row) error {
				var n int64
				err := r.Scan(&n)
				generation = uint64(n)
				return err
			})
	})
	return generation, err
}
