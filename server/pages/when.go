package pages

import (
	"fmt"
	"time"
)

// moment is a point in time, told three ways.
type moment struct {
	Machine string // for the datetime attribute
	Exact   string // for the tooltip, in UTC: the server does not know the visitor's zone
	Human   string // seen from now
}

// momentOf tells t as seen from now. The zero time gives the zero moment.
func momentOf(now, t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	t = t.UTC()
	return moment{
		Machine: t.Format("2006-01-02T15:04:05Z"),
		Exact:   t.Format("Monday 2 January 2006, 15:04:05 UTC"),
		Human:   humanTime(now, t),
	}
}

const day = 24 * time.Hour

func humanTime(now, t time.Time) string {
	switch d := now.Sub(t); {
	case d.Abs() < time.Minute:
		return "just now" // also where two machines' clocks differ a little
	case d.Abs() > 45*day:
		return t.UTC().Format("2 January 2006")
	case d < 0:
		return "in " + humanDuration((-d).Round(time.Minute)) // an hour from now is not "in 59 minutes"
	default:
		return humanDuration(d) + " ago"
	}
}

// humanDuration names d in its largest unit. It rounds down, except below a
// minute, where the next whole second is named: who waits that long has waited
// long enough.
func humanDuration(d time.Duration) string {
	switch {
	case d >= day:
		return count(int(d/day), "day")
	case d >= time.Hour:
		return count(int(d/time.Hour), "hour")
	case d >= time.Minute:
		return count(int(d/time.Minute), "minute")
	default:
		return count(int((d+time.Second-1)/time.Second), "second")
	}
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
