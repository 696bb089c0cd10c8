package feed

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

const (
	simBound = 2 * time.Second
	simHold  = 10 * time.Minute
	simRun   = 14 * time.Second // then everything heals
)

// simG1 is how long after a logout has returned a check may still accept, if it
// begins by then.
const simG1 = simBound + time.Duration(store.ClockError*float64(simBound))

// A world is one run of the simulation: a store, nodes and verifiers with
// clocks of different rates, and the links between them.
type world struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand // of the goroutine that drives the world
	store *simStore
	nodes []*simNode // of the store
	all   []*simNode // and verifiers
	work  sync.WaitGroup

	mu       sync.Mutex
	sessions []store.SID
	fates    map[store.SID]*fate
}

// A fate is what is known of a session's end.
type fate struct {
	returned   time.Time // the logout; zero: it did not yet
	by         *simNode
	everywhere time.Time // Everywhere returned
	lost       bool      // the store has lost it
	losses     int
}

// A simNode is one process.
type simNode struct {
	w        *world
	name     string
	view     *View
	follower *Follower
	remote   remote // the store; verifiers do not use it
	link     *link
	relay    *relay
	rng      *rand.Rand // of the goroutine that checks

	stopped atomic.Int64 // Unix nanoseconds: the process stands still until then

	mu   sync.Mutex
	knew map[store.SID]time.Time // since when a check here has refused it
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), store: newSimStore(), fates: map[store.SID]*fate{}}
	w.store.ended, w.store.lost = w.landed, w.lost
	for range 4 + w.rng.IntN(4) {
		id := store.NewSID(time.Now())
		w.sessions = append(w.sessions, id)
		w.fates[id] = &fate{}
	}
	for i := range 1 + w.rng.IntN(3) {
		n := w.node(fmt.Sprint("node ", i))
		n.use(FromStore(n.remote))
		n.relay = &relay{up: n, held: map[store.NodeID]relayHeld{}}
		n.follower.Acked = n.relay.acked
		w.nodes = append(w.nodes, n)
	}
	for i := range w.rng.IntN(3) {
		n := w.node(fmt.Sprint("verifier ", i))
		n.use(relayed{n.link, w.nodes[w.rng.IntN(len(w.nodes))].relay})
	}
	return w
}

func (w *world) node(name string) *simNode {
	n := &simNode{w: w, name: name, knew: map[store.SID]time.Time{}}
	n.rng = rand.New(rand.NewPCG(w.seed, uint64(2*len(w.all)+1)))
	n.link = &link{node: n, rng: rand.New(rand.NewPCG(w.seed, uint64(2*len(w.all)+2)))}
	n.remote = remote{link: n.link, store: w.store}
	w.all = append(w.all, n)
	return n
}

// use makes the view and its follower, with a clock that is as wrong as it may
// be.
func (n *simNode) use(s Source) {
	n.view = NewView(Config{Bound: simBound, Hold: simHold})
	start, rate := time.Now(), 1.0
	switch n.w.rng.IntN(3) {
	case 0:
		rate = 1 / (1 + store.ClockError)
	case 1:
		rate = 1 + store.ClockError
	}
	n.view.clock.read = func() (wall, mono time.Duration) {
		passed := time.Duration(rate * float64(time.Since(start)))
		return time.Duration(start.UnixNano()) + passed, passed
	}
	n.follower = NewFollower(n.view, s, slog.New(slog.DiscardHandler))
}

// awake waits while the process stands still.
func (n *simNode) awake() {
	for {
		d := time.Until(time.Unix(0, n.stopped.Load()))
		if d <= 0 {
			return
		}
		time.Sleep(d)
	}
}

// failed reports a broken guarantee. Call it with w.mu held, or alone.
func (w *world) failed(n *simNode, format string, args ...any) {
	w.t.Errorf("seed %d, %s: %s", w.seed, n.name, fmt.Sprintf(format, args...))
}

// run lets things happen for a while, heals everything, and looks once more.
func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	for _, n := range w.all {
		w.work.Go(func() { n.follower.Run(ctx) })
		w.work.Go(func() { n.checks(ctx) })
	}
	time.Sleep(3 * simBound) // a view that is new waits for everybody in any case
	for end := time.Now().Add(simRun); time.Now().Before(end); {
		time.Sleep(time.Duration(w.rng.Int64N(int64(simBound / 2))))
		w.something(ctx)
	}
	w.store.setDown(false)
	for _, n := range w.all {
		n.link.heal()
	}
	time.Sleep(6 * simBound)
	w.healed()
	cancel()
	w.work.Wait()
}

// something happens.
func (w *world) something(ctx context.Context) {
	node := w.all[w.rng.IntN(len(w.all))]
	switch w.rng.IntN(10) {
	case 0:
		node.stopped.Store(time.Now().Add(time.Duration(w.rng.Int64N(int64(3 * simBound / 2)))).UnixNano())
	case 1:
		w.store.setDown(true)
		time.AfterFunc(time.Duration(w.rng.Int64N(int64(simBound))), func() { w.store.setDown(false) })
	case 2:
		w.store.failover(w.rng.IntN(4))
	case 3, 4:
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		id := w.sessions[w.rng.IntN(len(w.sessions))]
		w.work.Go(func() { n.logout(ctx, id, true) })
	default:
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		id := w.sessions[w.rng.IntN(len(w.sessions))]
		w.work.Go(func() { n.logout(ctx, id, false) })
	}
}

// lost takes note that an end is in the log no more.
func (w *world) lost(id store.SID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.fates[id]
	f.lost, f.everywhere = true, time.Time{}
	f.losses++
}

// landed takes note that an end is in the log, maybe again.
func (w *world) landed(id store.SID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.fates[id]; f.lost {
		f.lost = false
		if !f.returned.IsZero() {
			f.returned = time.Now() // from here on it is promised again
		}
	}
}

// logout ends a session as a manager does.
func (n *simNode) logout(ctx context.Context, id store.SID, everywhere bool) {
	w := n.w
	w.mu.Lock()
	losses := w.fates[id].losses
	w.mu.Unlock()
	var ended store.Ended
	for tries := 0; ; tries++ {
		if tries == 5 {
			return // an error, and no promise
		}
		attempt, cancel := context.WithTimeout(ctx, simBound)
		var err error
		ended, err = n.remote.End(attempt, id, simHold)
		cancel()
		if err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	n.view.End(id)
	w.mu.Lock()
	f := w.fates[id]
	if f.returned.IsZero() {
		f.returned, f.by = time.Now(), n
	}
	w.mu.Unlock()
	if everywhere {
		Everywhere(ctx, n.remote, n.view, ended.Head.Pos)
		w.mu.Lock()
		if f.losses == losses && !f.lost && f.everywhere.IsZero() {
			f.everywhere = time.Now()
		}
		w.mu.Unlock()
	}
}

// checks checks every session again and again: most at once, and some with
// pauses between the steps.
func (n *simNode) checks(ctx context.Context) {
	var slow sync.WaitGroup
	defer slow.Wait()
	for ctx.Err() == nil {
		time.Sleep(time.Duration(n.rng.Int64N(int64(simBound / 15))))
		for _, id := range n.w.sessions {
			n.check(id, 0, 0)
		}
		if n.rng.IntN(3) == 0 {
			id := n.w.sessions[n.rng.IntN(len(n.w.sessions))]
			var pauses [2]time.Duration
			pauses[n.rng.IntN(2)] = time.Duration(n.rng.Int64N(int64(2 * simBound)))
			slow.Go(func() { n.check(id, pauses[0], pauses[1]) })
		}
	}
}

// check is the procedure of the package comment, with a pause after each step.
// Where it does not prove anything, nothing is accepted here.
func (n *simNode) check(id store.SID, afterBegin, afterEnded time.Duration) {
	n.awake()
	begun := time.Now()
	check := n.view.Begin()
	time.Sleep(afterBegin)
	ended := n.view.Ended(id)
	time.Sleep(afterEnded)
	switch _, proven := check.Finish(); {
	case ended:
		n.refused(id)
	case proven:
		n.accepted(id, begun)
	}
}

func (n *simNode) refused(id store.SID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.knew[id].IsZero() {
		n.knew[id] = time.Now()
	}
}

// accepted judges that a check has accepted a session.
func (n *simNode) accepted(id store.SID, begun time.Time) {
	n.mu.Lock()
	knew := n.knew[id]
	n.mu.Unlock()
	if !knew.IsZero() && begun.After(knew) {
		n.w.failed(n, "accepts what it has refused before")
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	f := n.w.fates[id]
	if f.returned.IsZero() {
		return
	}
	if f.by == n && begun.After(f.returned) {
		n.w.failed(n, "accepts a session whose logout it has served %v before", begun.Sub(f.returned))
	}
	if f.lost {
		return
	}
	if late := begun.Sub(f.returned); late > simG1 {
		n.w.failed(n, "accepts in a check that began %v after the logout returned", late)
	}
	if !f.everywhere.IsZero() && begun.After(f.everywhere) {
		n.w.failed(n, "accepts in a check that began %v after Everywhere returned", begun.Sub(f.everywhere))
	}
}

// healed looks at a world in which nothing has gone wrong for a while.
func (w *world) healed() {
	for _, n := range w.all {
		if !n.view.Status().Proven {
			w.failed(n, "proves nothing, though everything has healed: %+v", n.view.Status())
		}
		for i, id := range w.sessions {
			if n.view.Ended(id) && !w.store.has(id) {
				w.failed(n, "did not give back the end of session %d", i)
			}
			if w.store.has(id) && !n.view.Ended(id) {
				w.failed(n, "does not know of the end of session %d", i)
			}
		}
	}
}

// why: every guarantee of the package, "through cut networks, stopped processes
// and crashed stores", and failovers that lose the tail of the log. FEED_SEEDS
// runs more worlds; FEED_SEED one, the one that a failure has named.
func TestSimulation(t *testing.T) {
	from, to := uint64(0), uint64(200)
	if n, err := strconv.ParseUint(os.Getenv("FEED_SEEDS"), 10, 64); err == nil {
		to = n
	}
	if n, err := strconv.ParseUint(os.Getenv("FEED_SEED"), 10, 64); err == nil {
		from, to = n, n+1
	}
	for seed := from; seed < to && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { newWorld(t, seed).run() })
	}
}
