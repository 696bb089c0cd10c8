package feed

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot reads CLOCK_BOOTTIME, which goes on in suspend (golang.org/issue/24595).
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // no such clock, ever: Go's own is what there is
	}
	return time.Duration(ts.Nano())
}

// inBubble reports whether Go's clock is not the system's, but that of a bubble
// of testing/synctest, which begins in the year 2000.
func inBubble() bool {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts)
	return err == nil && time.Since(time.Unix(ts.Unix())).Abs() > year
}

const year = 365 * 24 * time.Hour
