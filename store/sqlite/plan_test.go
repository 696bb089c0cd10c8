package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// "It uses an index on the user" (D8), and nothing else reads a table from end
// to end either. Without statistics SQLite guesses; here it is held to it.
func TestNoScans(t *testing.T) {
	s := openTest(t, Config{Readers: 1})
	ctx := t.Context()
	c, next := login(1), login(1)
	c.Refresh.Family[0] = 1
	next.Replaces, next.Inherit = c.Session.ID, true
	a, b := mustCreate(t, s, c), mustCreate(t, s, next)
	// Every method, so that every statement is prepared; the outcomes are
	// tested elsewhere.
	s.Find(ctx, a)
	s.List(ctx, store.Query{})
	s.List(ctx, store.Query{User: "john"})
	s.Values(ctx, a)
	s.SaveValues(ctx, b, 1, nil)
	s.Touch(ctx, []store.Touch{{ID: b, At: time.Now()}})
	s.RotateRefresh(ctx, store.Rotation{ID: b})
	s.EndUser(ctx, "john", store.SID{}, 0)
	s.EndAll(ctx, 0)
	s.Purge(ctx, 10)
	s.Follow(ctx, store.Cursor{}, 10)
	s.Beat(ctx, store.Beat{Node: store.NewNodeID()})
	s.Holders(ctx)
	s.Generation(ctx, "john")
	s.Document(ctx, "keys")
	s.SwapDocument(ctx, "keys", 0, nil)
	s.SwapDocument(ctx, "keys", 1, nil)

	<-s.readers.idle
	reader := s.readers.pop()
	defer s.readers.put(reader)
	for _, c := range []*conn{s.writer.conn, reader} {
		for sql := range c.prepared {
			for _, step := range plan(t, c, sql) {
				if strings.HasPrefix(step, "SCAN ") && step != "SCAN meta" && step != "SCAN sqlite_schema" &&
					step != "SCAN node" && // at most store.MaxHolders
					!strings.Contains(sql, "FROM ended ORDER BY pos LIMIT") { // from the front, and not far
					t.Errorf("%s\n\t%s", sql, step)
				}
			}
		}
	}
}

func plan(t *testing.T, c *conn, sql string) (steps []string) {
	t.Helper()
	if strings.HasPrefix(sql, "PRAGMA") {
		return nil
	}
	explain, _, err := c.Prepare("EXPLAIN QUERY PLAN " + sql)
	if err != nil {
		t.Fatal(err)
	}
	defer explain.Close()
	for explain.Step() {
		steps = append(steps, explain.ColumnText(3))
	}
	return steps
}
