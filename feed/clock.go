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
//
// The boot clock takes a system call, five times as long as Go's two clocks
// together. So checks, which are many, read the time by late, which makes that
// call a thousand times a second at most. All else reads it by now.
type clock struct {
	read func() (wall, mono time.Duration) // in this order; since 1970, and since this clock was made
	boot func() time.Duration              // since this clock was made; nil: there is none

	sleep atomic.Pointer[sleep] // the latest that now has found

	lastWall time.Duration // of the latest jumped; its callers take turns
	lastAt   instant
}

func newClock() *clock {
	booted := sinceBoot() // first, so that it is never behind
	start := time.Now()
	read := func() (wall, mono time.Duration) {
		t := time.Now()
		return time.Duration(t.UnixNano()), t.Sub(start)
	}
	if booted == 0 || inBubble() {
		return newClockOf(read, nil)
	}
	return newClockOf(read, func() time.Duration { return sinceBoot() - booted })
}

func newClockOf(read func() (wall, mono time.Duration), boot func() time.Duration) *clock {
	c := &clock{read: read, boot: boot}
	c.lastWall, _ = read()
	c.sleep.Store(newSleep(0, c.lastWall, -validFor))
	return c
}

// A sleep says how far the monotonic clock is behind the boot clock, since the
// machine slept. While it is valid, that is so whenever the wall clock is ahead
// of the monotonic one by lead.
type sleep struct {
	slept time.Duration
	lead  time.Duration
	found atomic.Int64 // the latest time that it was found to be so, by the monotonic clock
}

func newSleep(slept, lead, found time.Duration) *sleep {
	s := &sleep{slept: slept, lead: lead}
	s.found.Store(int64(found))
	return s
}

const (
	// tolerance is how long it may take to read one clock after another. It
	// takes less than a microsecond, unless the process is interrupted there.
	tolerance = 50 * time.Microsecond

	// validFor is for how long the boot clock need not be read again.
	validFor = time.Millisecond
)

// leads reports whether the wall clock is ahead by about as much as it was.
func (s *sleep) leads(lead time.Duration) bool { return (lead - s.lead).Abs() <= tolerance }

// now returns the larger of the two clocks, never more than that. It reads both.
// What the machine has slept does not decrease: if the boot clock fails, what it
// has told before still counts.
func (c *clock) now() instant {
	known := c.sleep.Load()
	wall, mono := c.read()
	if c.boot == nil {
		return mono
	}
	boot := c.boot()
	_, after := c.read()
	slept, lead := max(known.slept, boot-after), wall-mono
	switch {
	case after-mono > tolerance: // they don't belong together
	case slept == known.slept && known.leads(lead):
		known.found.Store(int64(mono))
	default:
		// Who was faster has found it, too. Or else the next one will.
		c.sleep.CompareAndSwap(known, newSleep(slept, lead, mono))
	}
	return after + slept
}

// late returns at least what now would, and at most ahead more. It seldom reads
// the boot clock, and yet sees at once that the machine was asleep:
//
// Linux moves the wall clock and the boot clock against the monotonic one by the
// same amount and in the same step when the machine wakes, before any process
// runs. NTP slews the wall and the monotonic clock alike. So as long as the wall
// clock's lead is what it was when the boot clock was read, the machine has not
// slept; any other lead, whoever has set the clock or whatever came between the
// two readings, has the boot clock read again.
//
// A sleep can hide only behind somebody who, after it, sets the wall clock back
// by just its length. Therefore the boot clock is read again after validFor in
// any case. That time is counted in running: for both to be within it, a machine
// would have to stop its processes and devices, sleep, start them again and have
// its clock set in a millisecond.
func (c *clock) late() instant {
	known := c.sleep.Load()
	wall, mono := c.read()
	switch {
	case c.boot == nil:
		return mono
	case mono-time.Duration(known.found.Load()) < validFor && known.leads(wall-mono):
		return mono + known.slept + ahead
	}
	return c.now()
}

// ahead makes up for three tolerances: that of the boot clock's reading in now,
// and those of the wall clock's lead in now and in late, which a sleep as short
// could pass. An interruption in late is in its reading of the monotonic clock.
const ahead = 3 * tolerance

// maxJump is how far the wall clock may move against ours between two looks
// before something is taken to have happened to one of them.
const maxJump = time.Second

// jumped reports whether, since it was last asked, the wall clock has moved
// against ours: the machine was paused, or its clock was set. It is not safe
// for concurrent use.
func (c *clock) jumped() bool {
	wall, _ := c.read()
	at := c.now()
	moved := (wall - c.lastWall) - (at - c.lastAt)
	c.lastWall, c.lastAt = wall, at
	return moved.Abs() > maxJump
}

// wall is the wall clock's time.
func (c *clock) wall() time.Time {
	wall, _ := c.read()
	return time.Unix(0, int64(wall)).UTC()
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
	store time.Duration // since 1970
	asked instant
}

// set notes what the store has told. It cuts its time to the millisecond, so that
// it may have been that much later.
func (c *storeClock) set(store time.Time, asked instant) {
	c.anchor.Store(&anchor{time.Duration(store.UnixNano()) + time.Millisecond, asked})
}

// at returns the time at an instant, rounded up to the millisecond, so that the
// processors need not tell each other of each nanosecond. Counting from when the
// store was asked, and not from when it answered, makes it early by no more than
// the answer took: what has expired is never taken for good.
func (c *storeClock) at(t instant) time.Time {
	a := c.anchor.Load()
	if a == nil {
		return time.Time{}
	}
	passed := a.store + t - a.asked + time.Millisecond - 1
	ns := int64(passed - passed%time.Millisecond)
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
