package feed

import (
	"sync/atomic"
	"time"
)

// An instant is a time by this process's own clock, counted from when the clock
// was made. It has nothing to do with the wall clock.
type instant = time.Duration

// A clock counts the time that passes, in running and in suspend.
//
// It takes the larger of two: Go's monotonic clock, which on Linux stops while
// the machine sleeps, and the system's boot clock, which does not. A lease must
// not live longer because its process was asleep; that one of the clocks is
// ahead only ends it early. In a bubble of testing/synctest only Go's counts:
// the system's goes on in real time there, and a lease that was counted from it
// would outlive its bound by the bubble's.
//
// A virtual machine that is paused stops both. jumped notices that afterwards,
// once somebody has set the wall clock.
type clock struct {
	mono, boot func() time.Duration // since this clock was made
	wall       func() time.Time

	lastWall time.Time // of the latest jumped; its callers take turns
	lastAt   instant
}

func newClock() *clock {
	start, booted := time.Now(), sinceBoot()
	c := &clock{
		mono: func() time.Duration { return time.Since(start) },
		boot: func() time.Duration { return sinceBoot() - booted },
		wall: func() time.Time { return time.Now().Round(0) },
	}
	if inBubble() {
		c.boot = func() time.Duration { return 0 }
	}
	c.lastWall = c.wall()
	return c
}

func (c *clock) now() instant { return max(c.mono(), c.boot()) }

// maxJump is how far the wall clock may move against ours between two looks
// before something is taken to have happened to one of them.
const maxJump = time.Second

// jumped reports whether, since it was last asked, the wall clock has moved
// against ours: the machine was paused, or its clock was set. It is not safe
// for concurrent use.
func (c *clock) jumped() bool {
	wall, at := c.wall(), c.now()
	moved := wall.Sub(c.lastWall) - (at - c.lastAt)
	c.lastWall, c.lastAt = wall, at
	return moved.Abs() > maxJump
}

// A storeClock shows the store's time as far as this process knows it, by the
// time that has passed since the store told. It never decreases, and the wall
// clock has no part in it: a node whose clock is wrong judges expiry no
// differently from the others.
type storeClock struct {
	anchor atomic.Pointer[anchor]
	shown  atomic.Int64 // Unix nanoseconds; the latest time that was shown
}

// An anchor is what the store said its time was, and when it was asked.
type anchor struct {
	store time.Time
	asked instant
}

// set notes what the store has told. It cuts its time to the millisecond, so that
// it may have been that much later.
func (c *storeClock) set(store time.Time, asked instant) {
	c.anchor.Store(&anchor{store.Add(time.Millisecond), asked})
}

// at returns the time at an instant. Counting from when the store was asked, and
// not from when it answered, makes it early by no more than the answer took:
// what has expired is never taken for good.
func (c *storeClock) at(t instant) time.Time {
	a := c.anchor.Load()
	if a == nil {
		return time.Time{}
	}
	ns := a.store.Add(t - a.asked).UnixNano()
	for {
		shown := c.shown.Load()
		if ns <= shown {
			return time.Unix(0, shown).UTC()
		}
		if c.shown.CompareAndSwap(shown, ns) {
			return time.Unix(0, ns).UTC()
		}
	}
}
