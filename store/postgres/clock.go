package postgres

import (
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A clock holds a floor under the store's time, so that it never decreases when
// the wall clock of the server is set back, and goes on meanwhile.
//
// The store's time is the latest of three: the server's wall clock, the time in
// the head's row, which is as of the last beat or logout of any node, and the
// floor: the latest time that this process was told, and what has passed since.
type clock struct {
	mu   sync.Mutex
	at   int64     // milliseconds since 1970
	seen time.Time // when this process was told
}

// saw takes note of a time that the store has told.
func (c *clock) saw(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); at.UnixMilli() > c.floor(now) {
		c.at, c.seen = at.UnixMilli(), now
	}
}

// Floor returns the time that the store's must not fall below. It lags behind a
// server whose clock is right: the time was told some time before it arrived
// here, and what has passed is counted too short by the error of clocks.
func (c *clock) Floor() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor(time.Now())
}

func (c *clock) floor(now time.Time) int64 {
	if c.seen.IsZero() {
		return 0
	}
	passed := float64(now.Sub(c.seen).Milliseconds()) * (1 - 2*store.ClockError)
	return c.at + int64(passed)
}

// The store's time in SQL, in a statement on cf.head to which the floor is
// passed as $1: for reads that of the statement's begin, for writes that of
// now, when the locks are held.
const (
	readNow  = `greatest(floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint, head.clock, $1::bigint)`
	writeNow = `greatest(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, head.clock, $1::bigint)`
)

// Times are stored as milliseconds since 1970. The zero time is 0.
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
