package store

import (
	"math"
	"sync/atomic"
	"time"
)

// A Clock tells a time that never decreases: it follows the wall clock forward,
// and goes on by the monotonic clock where the wall clock is set back. Without
// it, an expired session would live again after a step of the clock.
//
// The zero Clock is ready. It is safe for concurrent use, and takes no lock.
type Clock struct {
	// lead is how far the wall clock was ever ahead of the monotonic clock, in
	// nanoseconds; it only grows. Whoever reads the time after another has, reads
	// a monotonic clock that has gone on and a lead that is no less, so his sum is
	// no less.
	lead atomic.Int64
	// looked is when the wall clock was last looked at, by the monotonic clock. It
	// is set after lead.
	looked atomic.Int64
}

// started is where the monotonic clock counts from.
var started = time.Now()

// Now returns the time, in UTC, cut to the millisecond.
func (c *Clock) Now() time.Time {
	monotonic, lead := c.read()
	return time.UnixMilli((monotonic + lead) / int64(time.Millisecond)).UTC()
}

// Recent is Now, and looks at the wall clock once in a millisecond of the monotonic
// one: to read that alone takes half the time. A step of the wall clock, or a
// suspend, is noticed as late: so it is for judging what is read, and for nothing
// that somebody counts a promise from.
func (c *Clock) Recent() time.Time {
	looked := c.looked.Load() // before lead, which is raised before looked is set
	monotonic := int64(time.Since(started))
	if since := monotonic - looked; looked != 0 && 0 <= since && since < int64(time.Millisecond) {
		return time.UnixMilli((monotonic + c.lead.Load()) / int64(time.Millisecond)).UTC()
	}
	return c.Now()
}

func (c *Clock) read() (monotonic, lead int64) {
	read := time.Now()
	monotonic = int64(read.Sub(started))
	lead = c.raise(read.UnixNano() - monotonic)
	c.looked.Store(monotonic)
	return monotonic, lead
}

// raise returns the lead, which is at least so much from now on.
func (c *Clock) raise(lead int64) int64 {
	for {
		old := c.lead.Load()
		if lead <= old {
			return old
		}
		if c.lead.CompareAndSwap(old, lead) {
			return lead
		}
	}
}

// maxLead keeps the sum in 64 bits, which end in 2262, for a century.
const maxLead = math.MaxInt64 - 100*365*24*int64(time.Hour)

// Advance moves the clock forward to t, if it is behind: to the time that a
// durable store remembers from before a restart. It goes no further than 2162.
func (c *Clock) Advance(t time.Time) {
	monotonic, lead := c.read()
	if missing := t.Sub(time.Unix(0, monotonic+lead)); missing > 0 {
		c.raise(lead + min(int64(missing), maxLead-lead))
	}
}
