package scale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

const (
	stall     = "longest check"
	quiet     = "longest elsewhere"
	most      = "longest of 99.99 % of the checks"
	mostQuiet = "the same elsewhere"
	slow      = "checks of more than 1 ms, of a million"
	slowQuiet = "such checks elsewhere"
)

const (
	liveSessions = 1000                   // that are asked for meanwhile
	askers       = 4                      // of each store
	askEvery     = 200 * time.Microsecond // each, so that the processors are mostly idle

	purgeBatch = 256 // as the manager's
	purgePause = time.Millisecond
)

// measureStalls lets all sessions expire, and asks for others while those are
// removed.
func measureStalls(tb testing.TB, p measure.Plan, n int) (report.Table, error) {
	t := report.Table{
		ID:    "stall",
		Title: "The longest check while all sessions expire",
		Text: []string{
			fmt.Sprintf("%s sessions have expired at once and are removed, ours in batches of %d as the manager does it, scs's by its clean-up. Meanwhile %d goroutines ask the store for others, each %d times a second or less, and as many ask another store of the same kind, of which nothing is removed: what those wait is the doing of the scheduler, the collector and the machine's other programs. On a busy machine any check may lose its processor for some milliseconds, and the longest of all does, here or elsewhere. So the longest is judged, and the longest of all but one in ten thousand, which a few such accidents don't reach and a lock that many checks wait for does.",
				number(n), purgeBatch, askers, time.Second/askEvery),
			"What a store does to its checks is to hold their lock for long, or so often that a thread which holds it loses its processor: then all wait who want the lock. A purge of ours holds a lock for each session that it removes, only while it empties a cell of the index that it has found before, and only that of one sixty-fourth of all sessions.",
		},
		Metrics: []report.Metric{
			{Name: stall, Unit: report.Nanoseconds, Plot: true, Log: true},
			{Name: quiet, Unit: report.Nanoseconds},
			{Name: most, Unit: report.Nanoseconds},
			{Name: mostQuiet, Unit: report.Nanoseconds},
			{Name: slow, Unit: report.Count},
			{Name: slowQuiet, Unit: report.Count},
		},
		Rows: []report.Row{
			{Name: named(ours, number(n)), Kind: report.Ours, Samples: map[string][]float64{}},
			{Name: named(theirs, number(n)), Kind: report.Peer, Samples: map[string][]float64{}},
		},
		Baseline: named(theirs, number(n)),
		Targets: []report.Target{
			{Row: named(ours, number(n)), Metric: stall, Limit: 1e6, Words: "at most 1 ms"},
			{Row: named(ours, number(n)), Metric: most, Limit: 1e6, Words: "at most 1 ms"},
		},
	}
	rounds := 3
	if p.Quick {
		rounds = 1
	}
	values := note(tb)
	for round := range rounds {
		p.Logf("scale: %s sessions expire, round %d of %d", number(n), round+1, rounds)
		for i, run := range []func() (here, elsewhere waits, err error){
			func() (waits, waits, error) { return stallOfOurs(tb, n, values) },
			func() (waits, waits, error) { return stallOfSCS(tb.Context(), n) },
		} {
			here, elsewhere, err := run()
			if err != nil {
				return t, err
			}
			s := t.Rows[i].Samples
			s[stall] = append(s[stall], float64(here.longest()))
			s[quiet] = append(s[quiet], float64(elsewhere.longest()))
			s[most] = append(s[most], float64(here.most()))
			s[mostQuiet] = append(s[mostQuiet], float64(elsewhere.most()))
			s[slow] = append(s[slow], here.slow())
			s[slowQuiet] = append(s[slowQuiet], elsewhere.slow())
		}
	}
	return t, nil
}

// stallOfOurs returns how long checks took during a purge, and those of another
// store.
func stallOfOurs(tb testing.TB, n int, values []byte) (here, elsewhere waits, err error) {
	ctx := tb.Context()
	var checks [2]func(int) error
	var purged store.Store
	for k := range checks {
		s := memory.New(memory.Config{})
		defer s.Close()
		live, err := addLive(ctx, s, values)
		if err != nil {
			return nil, nil, err
		}
		checks[k] = finding(ctx, s, live)
		if k == 0 {
			purged = s
		}
	}
	for i := range n {
		if _, err := purged.Create(ctx, content{idle: time.Second, values: values}.creation(liveSessions+i)); err != nil {
			return nil, nil, err
		}
	}
	time.Sleep(1100 * time.Millisecond) // until the last has expired
	return ask(checks, func() error { return purgeAll(ctx, purged, n) })
}

// addLive adds sessions that nothing removes.
func addLive(ctx context.Context, s store.Store, values []byte) (ids []store.SID, err error) {
	for i := range liveSessions {
		c := content{idle: lasting, values: values}.creation(i)
		if _, err := s.Create(ctx, c); err != nil {
			return nil, err
		}
		ids = append(ids, c.Session.ID)
	}
	return ids, nil
}

func finding(ctx context.Context, s store.Store, ids []store.SID) func(int) error {
	return func(i int) error {
		_, err := s.Find(ctx, ids[i%len(ids)])
		return err
	}
}

// purgeAll removes what has expired, as Manager.purge does.
func purgeAll(ctx context.Context, s store.Store, want int) error {
	removed := 0
	for {
		n, err := s.Purge(ctx, purgeBatch)
		removed += n
		switch {
		case err != nil:
			return err
		case n == 0 && removed != want:
			return fmt.Errorf("%d sessions were purged, want %d", removed, want)
		case n == 0:
			return nil
		}
		time.Sleep(purgePause)
	}
}

// stallOfSCS is the same for scs, whose clean-up comes by itself: it is set to
// come once, when all have been made and have expired.
func stallOfSCS(ctx context.Context, n int) (here, elsewhere waits, err error) {
	for patience := 10 * time.Second; patience < 10*time.Minute; patience *= 2 {
		here, elsewhere, err = stallOfSCSWithin(ctx, n, patience)
		if !errors.Is(err, errTooSlow) {
			break
		}
	}
	return here, elsewhere, err
}

var errTooSlow = errors.New("the sessions were not made in time")

func stallOfSCSWithin(ctx context.Context, n int, patience time.Duration) (here, elsewhere waits, err error) {
	expired := time.Now().Add(patience)
	cleaned := memstore.NewWithCleanupInterval(patience + time.Second)
	defer cleaned.StopCleanup()
	cleanUp := expired.Add(time.Second)
	var checks [2]func(int) error
	for k, m := range []*memstore.MemStore{cleaned, memstore.NewWithCleanupInterval(0)} {
		add, err := newSCS(m).adder(expired.Add(lasting), true)
		for i := 0; i < liveSessions && err == nil; i++ {
			err = add(i)
		}
		if err != nil {
			return nil, nil, err
		}
		checks[k] = func(i int) error {
			_, found, err := m.Find(token(i % liveSessions))
			if err == nil && !found {
				err = errors.New("a live session is not found")
			}
			return err
		}
	}
	add, err := newSCS(cleaned).adder(expired, true)
	if err != nil {
		return nil, nil, err
	}
	for i := range n {
		if err := add(liveSessions + i); err != nil {
			return nil, nil, err
		}
		if i%1000 == 0 && time.Until(expired) < patience/4 {
			return nil, nil, errTooSlow
		}
	}
	heapBefore, _ := inUse()
	time.Sleep(time.Until(cleanUp.Add(-time.Second / 2)))
	here, elsewhere, err = ask(checks, func() error {
		time.Sleep(time.Until(cleanUp.Add(2 * time.Second)))
		return ctx.Err()
	})
	if err != nil {
		return nil, nil, err
	}
	if heap, _ := inUse(); heap > heapBefore*3/4 {
		return nil, nil, fmt.Errorf("the clean-up of scs has not come: %.0f bytes are in use, before it %.0f", heap, heapBefore)
	}
	return here, elsewhere, nil
}

// waits are how long checks took.
type waits []time.Duration

func (w waits) longest() time.Duration { return slices.Max(w) }

// most is the longest but for the longest 0.01 %.
func (w waits) most() time.Duration {
	sorted := slices.Sorted(slices.Values(w))
	return sorted[len(sorted)-1-len(sorted)/10_000]
}

// slow is how many of a million took more than a millisecond.
func (w waits) slow() float64 {
	n := 0
	for _, d := range w {
		if d > time.Millisecond {
			n++
		}
	}
	return float64(n) / float64(len(w)) * million
}

// ask asks two stores again and again while work runs.
func ask(checks [2]func(i int) error, work func() error) (here, elsewhere waits, err error) {
	done := make(chan struct{})
	all, errs := make([]waits, 2*askers), make([]error, 2*askers+1)
	var wg sync.WaitGroup
	for k := range all {
		wg.Go(func() { all[k], errs[k] = askUntil(done, checks[k%2], k/2) })
	}
	errs[2*askers] = work()
	close(done)
	wg.Wait()
	for k, w := range all {
		if k%2 == 0 {
			here = append(here, w...)
		} else {
			elsewhere = append(elsewhere, w...)
		}
	}
	return here, elsewhere, errors.Join(errs...)
}

// askUntil asks a store in the way of the k-th asker.
func askUntil(done <-chan struct{}, check func(i int) error, k int) (w waits, err error) {
	for i := k; ; i += askers {
		started := time.Now()
		if err := check(i); err != nil {
			return w, err
		}
		w = append(w, time.Since(started))
		select {
		case <-done:
			return w, nil
		case <-time.After(askEvery):
		}
	}
}
