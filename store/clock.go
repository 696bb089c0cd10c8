package store

import (
	"sync"
	"time"
)

// A Clock tells a time that never decreases: it follows the wall clock forward,
// and goes on by the monotonic clock where the wall clock is set back. Without
// it, an expired session would live again after a step of the clock.
//
// The zero Clock is ready. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	base time.Time // with a monotonic reading
	at   time.Time // what the clock showed at base
}

// Now returns the time, in UTC, cut to the millisecond.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Truncate(time.Millisecond)
}

func (c *Clock) now() time.Time {
	read := time.Now()
	wall := read.Round(0).UTC()
	elapsed := max(read.Sub(c.base), 0)
	if ours := c.at.Add(elapsed); ours.After(wall) {
		return ours
	}
	c.base, c.at = read, wall
	return wall
}

// Advance moves the clock forward to t, if it is behind: to the time that a
// durable store remembers from before a restart.
func (c *Clock) Advance(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now()) {
		c.base, c.at = time.Now(), t.UTC()
	}
}
