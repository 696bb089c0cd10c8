package feed

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// handClock is a machine's clocks, which a test moves by hand.
type handClock struct {
	mono, boot, wall time.Duration

	before func() // called before a clock is read; nil: nothing
	looks  int    // at the boot clock
}

func newHandClock() *handClock { return &handClock{wall: 1e9 * time.Second} }

func (h *handClock) clock() *clock {
	interrupt := func() {
		if h.before != nil {
			h.before()
		}
	}
	return newClockOf(func() (wall, mono time.Duration) {
		interrupt()
		wall = h.wall
		interrupt()
		return wall, h.mono
	}, func() time.Duration {
		interrupt()
		h.looks++
		return h.boot
	})
}

func (h *handClock) run(d time.Duration)   { h.mono, h.boot, h.wall = h.mono+d, h.boot+d, h.wall+d }
func (h *handClock) sleep(d time.Duration) { h.boot, h.wall = h.boot+d, h.wall+d }
func (h *handClock) set(d time.Duration)   { h.wall += d }

// why: "A lease must not live longer because its process was asleep."
func TestClockGoesOnInSuspend(t *testing.T) {
	hand := newHandClock()
	v := NewView(Config{Bound: 2 * time.Second, Hold: time.Hour})
	v.clock = hand.clock()
	prove(t, v)

	check := v.Begin()
	hand.run(time.Second)
	hand.sleep(2 * time.Second)
	if _, proven := check.Finish(); proven {
		t.Error("a check is proven by a lease that ended in suspend")
	}
	if got, want := v.clock.now(), 3*time.Second; got != want {
		t.Errorf("the clock shows %v after %v", got, want)
	}
	hand.mono = 4 * time.Second // the boot clock lags
	if got, want := v.clock.now(), 6*time.Second; got != want {
		t.Errorf("the clock shows %v, of which two seconds were suspend, after %v", got, want)
	}
}

// why: late "returns at least what now would, and at most ahead more. It seldom
// reads the boot clock, and yet sees at once that the machine was asleep".
func TestClockIsLate(t *testing.T) {
	const hour, second, ms, us = time.Hour, time.Second, time.Millisecond, time.Microsecond
	for _, c := range []struct {
		why   string
		do    func(*handClock)
		looks int // at the boot clock, of two readings afterwards
		exact bool
	}{
		{"the clocks go on", func(h *handClock) { h.run(ms / 2) }, 0, false},
		{"the boot clock is read again after a millisecond of running", func(h *handClock) { h.run(ms) }, 1, true},
		{"Linux moves the wall clock and the boot clock by the same amount", func(h *handClock) { h.sleep(3 * second) }, 1, true},
		{"a short sleep is like any other", func(h *handClock) { h.sleep(60 * us) }, 1, true},
		{"one that the tolerance hides is made up for", func(h *handClock) { h.sleep(40 * us) }, 0, false},
		{"the wall clock is set forward: that is no time that has passed", func(h *handClock) { h.set(hour) }, 1, true},
		{"the wall clock is set back: time goes on", func(h *handClock) { h.set(-hour) }, 1, true},
		{"a leap second", func(h *handClock) { h.set(-second) }, 1, true},
		{"a sleep, and the wall clock is set back by more", func(h *handClock) { h.sleep(second); h.set(-hour) }, 1, true},
		{"a sleep, and the wall clock is set back by its length: seen within a millisecond of running", func(h *handClock) { h.sleep(3 * second); h.run(ms / 2); h.set(-3 * second); h.run(ms / 2) }, 1, true},
		{"the process is stopped", func(h *handClock) { h.run(hour) }, 1, true},
		{"a virtual machine is paused, and the wall clock set afterwards", func(h *handClock) { h.set(hour) }, 1, true},
		{"the boot clock fails", func(h *handClock) { h.boot = -hour; h.run(ms / 2) }, 0, false},
	} {
		h := newHandClock()
		clock := h.clock()
		h.run(hour)
		h.sleep(hour)
		clock.late()
		h.looks = 0
		c.do(h)
		want := max(h.mono+hour, h.boot)
		late := clock.late()
		if late < want || late > want+ahead || c.exact && late != want {
			t.Errorf("%s: it shows %v, not %v", c.why, late, want)
		}
		if clock.late(); h.looks != c.looks {
			t.Errorf("%s: the boot clock was read %d times, not %d", c.why, h.looks, c.looks)
		}
	}
}

// why: "In a bubble only Go's clock counts", and where there is no boot clock.
func TestClockWithoutBoot(t *testing.T) {
	h := newHandClock()
	c := h.clock()
	c.boot = nil
	h.run(time.Minute)
	h.sleep(time.Hour)
	if now, late := c.now(), c.late(); now != time.Minute || late != time.Minute {
		t.Errorf("the clock shows %v and %v after a minute", now, late)
	}
}

// why: as TestClockIsLate, whatever comes between any two readings. In a walk of
// a million steps the machine runs, sleeps, is interrupted, and its wall clock is
// set, back by the length of a sleep too.
func TestClockWalk(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		h := newHandClock()
		c := h.clock()
		some := func() time.Duration { // from nanoseconds to seconds
			return time.Duration(rng.Int64N(1 << (5 + rng.IntN(28))))
		}
		var slept time.Duration
		step := func() {
			switch rng.IntN(8) {
			case 0:
				slept = some()
				h.sleep(slept)
				h.run(validFor) // it takes longer to wake
			case 1:
				h.set(some())
			case 2:
				h.set(-some())
			case 3:
				h.set(-slept)
			default:
				h.run(some())
			}
		}
		h.before = func() {
			if rng.IntN(8) == 0 {
				step()
			}
		}
		for range 50_000 {
			began := max(h.mono, h.boot)
			late := c.late()
			if ended := max(h.mono, h.boot); late < began || late > ended+ahead {
				t.Fatalf("seed %d: late shows %v from %v to %v", seed, late, began, ended)
			}
			began = max(h.mono, h.boot)
			now := c.now()
			if ended := max(h.mono, h.boot); now < began || now > ended {
				t.Fatalf("seed %d: now shows %v from %v to %v", seed, now, began, ended)
			}
			for range rng.IntN(3) {
				step()
			}
		}
	}
}

// why: "In a bubble of testing/synctest only Go's counts."
func TestClockOfABubble(t *testing.T) {
	if inBubble() {
		t.Fatal("the system's clock is taken for that of a bubble")
	}
	outside := newClock()
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		if outside.boot != nil { // a system with that clock
			for passed := outside.boot(); outside.boot() < passed+2*time.Millisecond; {
			}
		}
		if now, late := c.now(), c.late(); now != 0 || late != 0 {
			t.Errorf("real time moved the clock by %v", max(now, late))
		}
		time.Sleep(time.Hour)
		if now, late := c.now(), c.late(); now != time.Hour || late != time.Hour {
			t.Errorf("an hour of the bubble moved the clock by %v", max(now, late))
		}
	})
}

// why: "A jump between wall and boot clock drops the lease."
func TestClockJumped(t *testing.T) {
	hand := newHandClock()
	c := hand.clock()
	for _, step := range []struct {
		why        string
		mono, wall time.Duration
		jumped     bool
	}{
		{"both go on", time.Minute, time.Minute, false},
		{"the wall clock is slewed", time.Second, time.Second + 500*time.Millisecond, false},
		{"the machine was paused, and the wall clock set afterwards", time.Second, time.Hour, true},
		{"a jump is told once", time.Second, time.Second, false},
		{"the wall clock was set back", time.Second, -time.Minute, true},
		{"nothing moved", 0, 0, false},
	} {
		hand.run(step.mono)
		hand.set(step.wall - step.mono)
		if got := c.jumped(); got != step.jumped {
			t.Errorf("jumped is %v where %s", got, step.why)
		}
	}
}

// why: "It never decreases", and "early by no more than the answer took".
func TestStoreClock(t *testing.T) {
	var c storeClock
	if !c.at(time.Hour).IsZero() {
		t.Error("the store's time is known before it told")
	}
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(t instant, want time.Time, why string) func(*testing.T) {
		want = want.Add(time.Millisecond) // which the store has cut off, perhaps
		return func(tt *testing.T) {
			if got := c.at(t); !got.Equal(want) {
				tt.Errorf("at %v the time is %v, not %v: %s", t, got, want, why)
			}
		}
	}
	// Asked at 10 s; the answer took 3 s, and the store read its clock last of
	// all: at 13 s it is noon.
	c.set(noon, 10*time.Second)
	at(13*time.Second, noon.Add(3*time.Second), "ahead by what the answer took")(t)
	// The next answer takes no time, and corrects it backwards.
	c.set(noon.Add(time.Second), 14*time.Second)
	at(14*time.Second, noon.Add(3*time.Second), "it stands")(t)
	at(15*time.Second, noon.Add(3*time.Second), "it stands")(t)
	at(16*time.Second, noon.Add(3*time.Second), "it has caught up")(t)
	at(17*time.Second, noon.Add(4*time.Second), "it goes on")(t)
	at(12*time.Second, noon.Add(4*time.Second), "an instant that was read before another")(t)
	at(17*time.Second+1, noon.Add(4*time.Second+time.Millisecond), "rounded up to the millisecond")(t)
}

// prove gives a view its first proof, as of now.
func prove(t *testing.T, v *View) {
	t.Helper()
	history, cursor, _ := v.place()
	v.store.set(time.Now(), v.clock.now())
	if !v.extend(history, cursor, v.lease.Load(), lease{sent: v.clock.now()}) {
		t.Fatal("the view does not take the proof of its own place")
	}
}
