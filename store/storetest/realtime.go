package storetest

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil/store"
)

// RunRealTime is [Run] for a store whose clock is not this process's, such as
// that of a database server. Rules in which time matters wait in earnest; all
// run side by side, each on a store of its own, which open must be able to give.
// It takes about half a minute.
//
// A rule that fails because the machine was too slow for its times is tried
// again with longer ones: that says nothing about the store.
func RunRealTime(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range group.rules {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					r.runRealTime(t, open)
				})
			}
		})
	}
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		checkModelRealTime(t, open)
	})
}

// realTicks are the units of waiting that are tried.
var realTicks = []time.Duration{250 * time.Millisecond, time.Second, 4 * time.Second}

func (r rule) runRealTime(t *testing.T, open func(t *testing.T) store.Store) {
	defer r.explain(t)
	for i, tick := range realTicks {
		rec := &recorder{tester: t}
		p := r.checkPaced(rec, open(t), tick)
		if rec.failed() && r.timed && p.late && i < len(realTicks)-1 {
			t.Logf("the machine was too slow for ticks of %v", tick)
			continue
		}
		rec.replay(t)
		return
	}
}

// checkPaced checks the rule on a store and returns how the time went.
func (r rule) checkPaced(rec *recorder, s store.Store, tick time.Duration) *pace {
	defer closes(rec, s)
	p := &pace{tick: tick, since: time.Now()}
	rec.stopped(func() { r.check(&kit{t: rec, store: s, tick: tick, pace: p}) })
	p.step()
	return p
}

// A pace notices when what happens between two waits takes so long that the
// times of a rule mean nothing.
type pace struct {
	tick  time.Duration
	since time.Time
	late  bool
}

// step ends what has happened since the last.
func (p *pace) step() {
	if time.Since(p.since) > p.tick/2 {
		p.late = true
	}
	p.since = time.Now()
}

func (p *pace) wait(d time.Duration) {
	p.step()
	time.Sleep(d)
	if time.Since(p.since) > d+p.tick/4 {
		p.late = true
	}
	p.since = time.Now()
}

// A recorder keeps what a check finds until it is known whether it counts. It
// ends a check by a panic, which stopped recovers.
type recorder struct {
	tester
	mu       sync.Mutex
	failures []string
}

type stop struct{}

// stopped runs a check that ends with a return or by a Fatal of the recorder.
func (r *recorder) stopped(check func()) {
	defer func() {
		if e := recover(); e != nil && e != any(stop{}) {
			panic(e)
		}
	}()
	check()
}

func (r *recorder) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

// replay reports what was recorded.
func (r *recorder) replay(t tester) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, failure := range r.failures {
		t.Error(failure)
	}
}

func (r *recorder) record(failure string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, caller()+failure)
}

// caller is the line of the rule that failed.
func caller() string {
	for skip := 3; ; skip++ {
		_, file, line, ok := runtime.Caller(skip)
		if !ok {
			return ""
		}
		if name := filepath.Base(file); name != "kit.go" {
			return fmt.Sprintf("%s:%d: ", name, line)
		}
	}
}

func (r *recorder) Helper()                           {}
func (r *recorder) Context() context.Context          { return r.tester.Context() }
func (r *recorder) Error(args ...any)                 { r.record(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.record(fmt.Sprintf(format, args...)) }

func (r *recorder) Fatal(args ...any) {
	r.record(fmt.Sprint(args...))
	panic(stop{})
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.record(fmt.Sprintf(format, args...))
	panic(stop{})
}

// checkModelRealTime is checkModel where time passes by itself. Before each step
// it lets pass what is about to run out; a step that takes so long all the same
// that something could have run out in it ends the sequence, and counts for
// nothing.
func checkModelRealTime(t *testing.T, open func(t *testing.T) store.Store) {
	const sequences = 8
	begun, steps, failed := 0, 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if begun++; begun > sequences && !failed { // rapid asks for more than there is time for
			return
		}
		s := open(t)
		defer s.Close() // its error is another test's subject
		rec := &recorder{tester: rt}
		m := newModel(&kit{t: rec, store: s, tick: 5 * time.Millisecond, pace: &pace{tick: 2 * quiet}})
		m.least = quiet
		actions := m.actions()
		for name, do := range actions {
			actions[name] = func(rt *rapid.T) {
				if m.pace.late {
					return
				}
				if name != "" { // what is done after a step is part of it
					m.settle()
				}
				rec.stopped(func() { do(rt) })
				m.pace.late = m.pace.late || time.Since(m.pace.since) > quiet
				if rec.failed() && !m.pace.late {
					failed = true
					rec.replay(rt)
					rt.FailNow()
				}
				steps++
			}
		}
		m.settle()
		rt.Repeat(actions)
	})
	if steps <= sequences && !t.Failed() {
		t.Error("the machine was too slow for a single step")
	}
}

// quiet is how long, in real time, nothing runs out while a step is made.
const quiet = 300 * time.Millisecond

// settle brings the model to the store's time. Where that passes by itself it
// lets more of it pass if something runs out soon.
func (m *model) settle() {
	for m.pace != nil {
		m.pace.since = time.Now()
		m.at = m.follow(store.Cursor{}).Now
		next, ok := m.runsOut()
		if !ok || next.Sub(m.at) > quiet {
			break
		}
		time.Sleep(next.Sub(m.at) + time.Millisecond)
	}
	m.expire()
}

// runsOut returns when the next session, or the next grace, runs out.
func (m *model) runsOut() (next time.Time, ok bool) {
	for _, s := range m.live {
		for _, at := range []time.Time{s.Expires(), s.rotated.Add(m.grace())} {
			if at.After(m.at) && (!ok || at.Before(next)) {
				next, ok = at, true
			}
		}
	}
	return next, ok
}
