package feed

import (
	"testing"
	"testing/synctest"
	"time"
)

// handClock is a clock whose parts a test moves by hand.
type handClock struct {
	mono, boot time.Duration
	wall       time.Time
}

func (h *handClock) clock() *clock {
	return &clock{
		mono:     func() time.Duration { return h.mono },
		boot:     func() time.Duration { return h.boot },
		wall:     func() time.Time { return h.wall },
		lastWall: h.wall,
	}
}

// why: "A lease must not live longer because its process was asleep."
func TestClockGoesOnInSuspend(t *testing.T) {
	hand := &handClock{}
	v := NewView(Config{Bound: 2 * time.Second, Hold: time.Hour})
	v.clock = hand.clock()
	prove(t, v)

	check := v.Begin()
	hand.mono, hand.boot = time.Second, 3*time.Second // two seconds in suspend
	if _, proven := check.Finish(); proven {
		t.Error("a check is proven by a lease that ended in suspend")
	}
	if got, want := v.clock.now(), 3*time.Second; got != want {
		t.Errorf("the clock shows %v after %v", got, want)
	}
	hand.mono = 4 * time.Second // the boot clock fails, or lags
	if got, want := v.clock.now(), 4*time.Second; got != want {
		t.Errorf("the clock shows %v after %v", got, want)
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
		for passed := outside.boot(); outside.boot() < passed+2*time.Millisecond; { // real time
			if outside.boot() == 0 {
				break // a system without that clock
			}
		}
		if got := c.now(); got != 0 {
			t.Errorf("real time moved the clock by %v", got)
		}
		time.Sleep(time.Hour)
		if got := c.now(); got != time.Hour {
			t.Errorf("an hour of the bubble moved the clock by %v", got)
		}
	})
}

// why: "A jump between wall and boot clock drops the lease."
func TestClockJumped(t *testing.T) {
	hand := &handClock{wall: time.Unix(1e9, 0)}
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
		hand.mono += step.mono
		hand.wall = hand.wall.Add(step.wall)
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
