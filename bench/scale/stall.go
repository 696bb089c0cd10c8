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
	quiet     = "without a purge"
	slow      = "checks of more than 1 ms, of a million"
	slowQuiet = "the same without a purge"
)

const (
	liveSessions = 1000 // that are asked for meanwhile
	askers       = 4
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
			fmt.Sprintf("%s sessions have expired at once and are removed, ours in batches of %d as the manager does it, scs's by its clean-up. Meanwhile %d goroutines ask the store for others, each %d times a second or less. The same goroutines for as long without a purge show what the scheduler, the collector and other processes of the machine do.",
				number(n), purgeBatch, askers, time.Second/askEvery),
		},
		Metrics: []report.Metric{
			{Name: stall, Unit: report.Nanoseconds, Plot: true, Log: true},
			{Name: quiet, Unit: report.Nanoseconds},
			{Name: slow, Unit: report.Count},
			{Name: slowQuiet, Unit: report.Count},
		},
		Rows: []report.Row{
			{Name: named(ours, number(n)), Kind: report.Ours, Samples: map[string][]float64{}},
			{Name: named(theirs, number(n)), Kind: report.Peer, Samples: map[string][]float64{}},
		},
		Baseline: named(theirs, number(n)),
		Targets:  []report.Target{{Row: named(ours, number(n)), Metric: stall, Limit: 1e6, Words: "at most 1 ms"}},
	}
	rounds := 3
	if p.Quick {
		rounds = 1
	}
	values := note(tb)
	for round := range rounds {
		p.Logf("scale: %s sessions expire, round %d of %d", number(n), round+1, rounds)
		for i, run := range []func() (during, before waits, err error){
			func() (waits, waits, error) { return stallOfOurs(tb, n, values) },
			func() (waits, waits, error) { return stallOfSCS(tb.Context(), n) },
		} {
			during, before, err := run()
			if err != nil {
				return t, err
			}
			s := t.Rows[i].Samples
			s[stall] = append(s[stall], float64(during.longest()))
			s[quiet] = append(s[quiet], float64(before.longest()))
			s[slow] = append(s[slow], during.slow())
			s[slowQuiet] = append(s[slowQuiet], before.slow())
		}
	}
	return t, nil
}

// stallOfOurs returns how long checks took during a purge, and before it.
func stallOfOurs(tb testing.TB, n int, values []byte) (during, before waits, err error) {
	ctx := tb.Context()
	s := memory.New(memory.Config{})
	defer s.Close()
	var live []store.SID
	for i := range n + liveSessions {
		c := content{idle: time.Second, values: values}
		if i < liveSessions {
			c.idle = lasting
		}
		creation := c.creation(i)
		if _, err := s.Create(ctx, creation); err != nil {
			return nil, nil, err
		}
		if i < liveSessions {
			live = append(live, creation.Session.ID)
		}
	}
	time.Sleep(1100 * time.Millisecond) // until the last has expired
	check := func(i int) error {
		_, err := s.Find(ctx, live[i%len(live)])
		return err
	}
	if before, err = ask(check, func() error { time.Sleep(2 * time.Second); return nil }); err != nil {
		return nil, nil, err
	}
	during, err = ask(check, func() error { return purgeAll(ctx, s, n) })
	return during, before, err
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
func stallOfSCS(ctx context.Context, n int) (during, before waits, err error) {
	for patience := 10 * time.Second; patience < 10*time.Minute; patience *= 2 {
		during, before, err = stallOfSCSWithin(ctx, n, patience)
		if !errors.Is(err, errTooSlow) {
			break
		}
	}
	return during, before, err
}

var errTooSlow = errors.New("the sessions were not made in time")

func stallOfSCSWithin(ctx context.Context, n int, patience time.Duration) (during, before waits, err error) {
	expired := time.Now().Add(patience)
	m := memstore.NewWithCleanupInterval(patience + time.Second)
	cleanUp := expired.Add(time.Second)
	defer m.StopCleanup()
	s := newSCS(m)
	for i := range n + liveSessions {
		deadline := expired
		if i < liveSessions {
			deadline = expired.Add(lasting)
		}
		if err := s.add(i, deadline, true); err != nil {
			return nil, nil, err
		}
		if i%1000 == 0 && time.Until(expired) < patience/4 {
			return nil, nil, errTooSlow
		}
	}
	heapBefore, _ := inUse()
	check := func(i int) error {
		if _, found, err := m.Find(token(i % liveSessions)); !found || err != nil {
			return fmt.Errorf("a live session is not found, error %w", err)
		}
		return nil
	}
	if before, err = ask(check, func() error { time.Sleep(2 * time.Second); return ctx.Err() }); err != nil {
		return nil, nil, err
	}
	time.Sleep(time.Until(cleanUp.Add(-time.Second / 2)))
	if during, err = ask(check, func() error { time.Sleep(time.Until(cleanUp.Add(2 * time.Second))); return ctx.Err() }); err != nil {
		return nil, nil, err
	}
	if heap, _ := inUse(); heap > heapBefore*3/4 {
		return nil, nil, fmt.Errorf("the clean-up of scs has not come: %.0f bytes are in use, before it %.0f", heap, heapBefore)
	}
	return during, before, nil
}

// waits are how long checks took.
type waits []time.Duration

func (w waits) longest() time.Duration { return slices.Max(w) }

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

// ask checks again and again while work runs.
func ask(check func(i int) error, work func() error) (waits, error) {
	done := make(chan struct{})
	all, errs := make([]waits, askers), make([]error, askers+1)
	var wg sync.WaitGroup
	for k := range askers {
		wg.Go(func() {
			for i := k; ; i += askers {
				started := time.Now()
				if err := check(i); err != nil {
					errs[k] = err
					return
				}
				all[k] = append(all[k], time.Since(started))
				select {
				case <-done:
					return
				case <-time.After(askEvery):
				}
			}
		})
	}
	errs[askers] = work()
	close(done)
	wg.Wait()
	return slices.Concat(all...), errors.Join(errs...)
}
