package storetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// patience is how long a hint may take. Rules that wait for it run in a bubble,
// or pass long before.
const patience = 30 * time.Second

// A watcher is a call of Watch that goes on.
type watcher struct {
	*kit
	hints  chan store.Hint
	ended  chan error
	cancel context.CancelFunc
}

// watch begins to watch. The caller ends it.
func (k *kit) watch() *watcher {
	ctx, cancel := context.WithCancel(k.t.Context())
	w := &watcher{k, make(chan store.Hint, 100), make(chan error, 1), cancel}
	go func() {
		w.ended <- k.store.Watch(ctx, func(h store.Hint) {
			select {
			case w.hints <- h:
			default: // nobody looks at so many
			}
		})
	}()
	return w
}

// listening begins to watch and waits for the first hint.
func (k *kit) listening() *watcher {
	k.t.Helper()
	w := k.watch()
	w.hears(store.LogGrew)
	return w
}

// hears waits for a hint. Others may come before.
func (w *watcher) hears(want store.Hint) {
	w.t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case h := <-w.hints:
			if h == want {
				return
			}
		case err := <-w.ended:
			w.ended <- err
			w.t.Fatalf("Watch returned %v instead of the hint %d", err, want)
		case <-timeout:
			w.t.Fatalf("the hint %d did not come", want)
		}
	}
}

// returned waits for what Watch returns.
func (w *watcher) returned() error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		w.ended <- err
		return err
	case <-time.After(patience):
		w.t.Errorf("Watch did not return")
		return nil
	}
}

// stop ends the watching.
func (w *watcher) stop() {
	w.t.Helper()
	w.cancel()
	if err := w.returned(); err != nil {
		w.t.Errorf("Watch, after its context has ended: %v", err)
	}
}

var watchRules = append([]rule{
	{name: "at once", why: "Watch calls hint(LogGrew) once when it begins to listen.", timed: true, check: func(k *kit) {
		k.end(k.createFor("john").ID)
		w := k.listening()
		defer w.stop()
		k.listening().stop()
	}},
	{name: "until ctx ends", why: "Watch … until ctx ends (nil).", timed: true, check: func(k *kit) {
		w := k.listening()
		w.stop()
		for len(w.hints) > 0 {
			<-w.hints
		}
		k.end(k.createFor("john").ID)
		k.ok(k.store.Nudge(k.t.Context()))
		k.wait(1)
		if n := len(w.hints); n > 0 {
			k.t.Errorf("%d hints came after Watch had returned", n)
		}
	}},
	{name: "until the store closes", why: "Watch … until ctx ends or the connection breaks (an error). Methods called after Close return an error.", timed: true, check: func(k *kit) {
		w := k.listening()
		defer w.cancel()
		k.ok(k.store.Close())
		err := w.returned()
		k.fails("Watch, when the store was closed", err)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, context.Canceled) {
			k.t.Errorf("Watch, when the store was closed: %v", err)
		}
	}},
	{name: "nudge", why: "Nudge asks every node that watches to beat now: BeatNow.", timed: true, check: func(k *kit) {
		k.ok(k.store.Nudge(k.t.Context())) // nobody watches: no error
		a, b := k.listening(), k.listening()
		defer a.stop()
		defer b.stop()
		for range 2 {
			k.ok(k.store.Nudge(k.t.Context()))
			a.hears(store.BeatNow)
			b.hears(store.BeatNow)
		}
	}},
	{name: "many", why: "Watch calls hint soon after the log has grown: everybody's who watches.", timed: true, check: func(k *kit) {
		watchers := make([]*watcher, 8)
		for i := range watchers {
			watchers[i] = k.listening()
			defer watchers[i].stop()
		}
		s := k.createFor("john")
		go k.store.End(k.t.Context(), s.ID, retain) // the hint tells that it did
		for _, w := range watchers {
			w.hears(store.LogGrew)
		}
		k.isGone(s.ID)
	}},
	{name: "after the commit", why: "Watch calls hint soon after the log has grown: who looks then sees the entry.", timed: true, check: func(k *kit) {
		w := k.listening()
		defer w.stop()
		for range 10 {
			s := k.createFor("john")
			ended := make(chan error, 1)
			go func() {
				_, err := k.store.End(k.t.Context(), s.ID, retain)
				ended <- err
			}()
			for logged(k.log(), s.ID) == 0 {
				w.hears(store.LogGrew)
			}
			k.ok(<-ended)
		}
	}},
	{name: "slow", why: "Hints may be merged … They come from one goroutine; a hint that takes long delays the next, and nobody else.", timed: true, check: checkSlowHint},
}, growthRules()...)

// growthRules has a rule for each way in which the log grows.
func growthRules() []rule {
	var rules []rule
	for _, way := range []struct {
		name string
		// prepare returns what makes the log grow, and does not itself.
		prepare func(*kit) func() error
	}{
		{"End", func(k *kit) func() error {
			s := k.createFor("john")
			return func() error { _, err := k.store.End(k.t.Context(), s.ID, retain); return err }
		}},
		{"EndUser", func(k *kit) func() error {
			k.createFor("john")
			return func() error { return k.endFor("john", false) }
		}},
		{"EndAll", func(k *kit) func() error {
			return func() error { return k.endFor("john", true) }
		}},
		{"Create with Replaces", func(k *kit) func() error {
			c := login("john")
			c.Replaces = k.createFor("").ID
			return func() error { _, err := k.store.Create(k.t.Context(), c); return err }
		}},
		{"Create with Limit", func(k *kit) func() error {
			k.createFor("john")
			c := login("john")
			c.Limit = 1
			return func() error { _, err := k.store.Create(k.t.Context(), c); return err }
		}},
		{"RotateRefresh with a used token", func(k *kit) func() error {
			r := k.createWithRefresh()
			r.Presented = digest()
			return func() error {
				if _, err := k.store.RotateRefresh(k.t.Context(), r); !errors.Is(err, store.ErrReused) {
					return errors.Join(errors.New("want ErrReused"), err)
				}
				return nil
			}
		}},
		{"Merge", func(k *kit) func() error {
			e := k.remembered(store.NewSID(time.Now()))
			return func() error { return k.store.Merge(k.t.Context(), []store.Entry{e}) }
		}},
	} {
		rules = append(rules, rule{name: way.name, why: "Watch calls hint soon after the log has grown.", timed: true, check: func(k *kit) {
			grow := way.prepare(k)
			w := k.listening()
			defer w.stop()
			k.ok(grow())
			w.hears(store.LogGrew)
			if len(k.log()) == 0 {
				k.t.Error("the log is empty")
			}
		}})
	}
	return rules
}

// checkSlowHint has one watcher whose second hint takes its time, and one that is
// quick.
func checkSlowHint(k *kit) {
	ctx, cancel := context.WithCancel(k.t.Context())
	var calls, inside atomic.Int32
	heard, goOn, returned := make(chan store.Hint, 100), make(chan struct{}), make(chan error, 1)
	go func() {
		returned <- k.store.Watch(ctx, func(h store.Hint) {
			if inside.Add(1) > 1 {
				k.t.Errorf("hint was called while it was being called")
			}
			slow := calls.Add(1) == 2
			heard <- h
			if slow {
				<-goOn
			}
			inside.Add(-1)
		})
	}()
	defer func() {
		cancel()
		if err := <-returned; err != nil {
			k.t.Errorf("Watch: %v", err)
		}
	}()
	<-heard
	quick := k.listening()
	defer quick.stop()
	ids := []store.SID{k.createFor("john").ID}
	k.end(ids[0])
	<-heard
	for range 3 {
		s := k.createFor("john")
		k.end(s.ID)
		quick.hears(store.LogGrew)
		k.ok(k.store.Nudge(k.t.Context()))
		quick.hears(store.BeatNow)
		ids = append(ids, s.ID)
	}
	k.isLogged(ids...)
	if n := calls.Load(); n != 2 {
		k.t.Errorf("while a hint was taking long it was called again: %d times in all", n)
	}
	close(goOn) // what was held back, or one for all, comes now
	var after []store.Hint
	for timeout := time.After(patience); !slices.Contains(after, store.LogGrew) || !slices.Contains(after, store.BeatNow); {
		select {
		case h := <-heard:
			after = append(after, h)
		case <-timeout:
			k.t.Fatalf("after a hint that took long came %v, want both kinds", after)
		}
	}
}
