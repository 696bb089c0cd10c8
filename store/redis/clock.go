package redis

import (
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A clock knows a time that the store's has surely reached: what an answer
// said, and what has passed here since it came, less the error of clocks. Each
// script gets it. So the store's time goes on where the server's clock is set
// back, and never decreases for those who only read.
type clock struct {
	mu   sync.Mutex
	told int64     // milliseconds since 1970
	came time.Time // with a monotonic reading
}

// reached returns the time in milliseconds.
func (c *clock) reached() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *clock) now() int64 {
	if c.told == 0 {
		return 0
	}
	passed := float64(time.Since(c.came).Milliseconds()) * (1 - store.ClockError)
	return c.told + int64(passed)
}

// observe takes the time of an answer that has just come.
func (c *clock) observe(told int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if told > c.now() {
		c.told, c.came = told, time.Now()
	}
}

// Times are told as milliseconds since 1970. The zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// retained is how long an entry is kept, in milliseconds, rounded up.
func retained(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }
