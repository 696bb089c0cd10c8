package store

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestClockFollowsTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		for range 3 {
			if got := c.Now(); !got.Equal(time.Now().Truncate(time.Millisecond)) {
				t.Errorf("it shows %v, the wall clock %v", got, time.Now())
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestClockCutsToTheMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		time.Sleep(1_999_999)
		if got := c.Now(); got.Nanosecond() != 1_000_000 || got.Location() != time.UTC {
			t.Errorf("it shows %v, want 1 ms past in UTC", got)
		}
	})
}

// The wall clock of a bubble can't be set back. A clock that was advanced is in
// the same place as one whose wall clock has been: it shows more than the wall.
func TestClockGoesOnWhenTheWallClockIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		start := c.Now()
		c.Advance(start.Add(time.Hour))
		for _, want := range []time.Duration{60, 90, 120} {
			if got := c.Now().Sub(start); got != want*time.Minute {
				t.Errorf("it has gone on by %v, want %v", got, want*time.Minute)
			}
			time.Sleep(30 * time.Minute)
		}
	})
}

func TestClockFollowsAForwardStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		c.Now()
		c.lead.Add(-int64(time.Hour)) // as if the wall clock had been an hour behind until now
		if got := c.Now(); !got.Equal(time.Now()) {
			t.Errorf("it shows %v, the wall clock %v", got, time.Now())
		}
	})
}

func TestRecentFollowsAForwardStepWithinAMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		c.Recent()
		c.lead.Add(-int64(time.Hour))
		time.Sleep(time.Millisecond)
		if got := c.Recent(); !got.Equal(time.Now()) {
			t.Errorf("it shows %v, the wall clock %v", got, time.Now())
		}
	})
}

func TestAdvanceNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		c.Advance(time.Now().Add(time.Hour))
		ahead := c.Now()
		for _, earlier := range []time.Time{{}, time.Now(), ahead.Add(-time.Millisecond)} {
			c.Advance(earlier)
			if got := c.Now(); !got.Equal(ahead) {
				t.Errorf("advanced to %v it went from %v to %v", earlier, ahead, got)
			}
		}
	})
}

func TestAdvanceFarAheadNeverGoesBack(t *testing.T) {
	var c Clock
	c.Advance(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	ahead := c.Now()
	if ahead.Year() != 2162 {
		t.Errorf("it shows %v, want a time in 2162: it goes no further", ahead)
	}
	c.Advance(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	if got := c.Now(); got.Before(ahead) {
		t.Errorf("it went from %v back to %v", ahead, got)
	}
}

func BenchmarkClock(b *testing.B) {
	var c Clock
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Now()
		}
	})
}

func TestClockNeverDecreasesAmongGoroutines(t *testing.T) {
	var c Clock
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			last := c.Now()
			for range 1000 {
				if i == 0 {
					c.Advance(last.Add(5 * time.Millisecond))
				}
				now := c.Now()
				if now.Before(last) {
					t.Errorf("it went from %v back to %v", last, now)
				}
				last = now
			}
		})
	}
	wg.Wait()
}
