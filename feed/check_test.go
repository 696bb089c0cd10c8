package feed

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// why: "the clock is read after everything else": a process may stop between
// the steps of a check for longer than the view remembers. When it goes on, the
// follower may come first and forget what has expired; then only the time tells
// that the token has, too.
func TestCheckPausedForLongerThanItRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const life = 10 * time.Minute
		n := newWorld(t, 1).plainNode(Config{Bound: simBound, Hold: life})
		id := store.NewSID(time.Now())
		if err := n.follower.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}

		check := n.view.Begin()
		expires := check.Proved().Add(life)
		n.w.store.ended = func(store.SID) {}
		if _, err := n.w.store.endSession(id, life); err != nil {
			t.Fatal(err)
		}
		for range 4 { // it stops, and wakes for a beat now and then
			time.Sleep(5 * time.Minute)
			if err := n.follower.Beat(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ended := n.view.Ended(id)
		now, proven := check.Finish()

		if ended {
			t.Fatal("the view remembers for so long that this tests nothing")
		}
		if proven {
			t.Error("proven by a lease that ended long ago")
		}
		if now.Before(expires) {
			t.Errorf("at %v a token that expired at %v is good", now, expires)
		}
	})
}

// plainNode returns a node on a link on which all is well.
func (w *world) plainNode(c Config) *simNode {
	n := &simNode{w: w, name: "node", knew: map[store.SID]time.Time{}}
	n.link = &link{node: n, healed: true, rng: rand.New(rand.NewPCG(w.seed, 1<<32))}
	n.remote = remote{link: n.link, store: w.store}
	n.view = NewView(c)
	n.follower = NewFollower(n.view, FromStore(n.remote), slog.New(slog.DiscardHandler))
	return n
}
