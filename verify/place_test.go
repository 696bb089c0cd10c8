package verify

import (
	"testing"
	"time"
)

// why: "Entry.Session names the cut": the store stamps it, commits it up to 10
// seconds later, and sees sessions live meanwhile that it ends. A token tells the
// second in which that was, rounded down.
func TestPlaceOf(t *testing.T) {
	cut := time.Date(2026, 11, 26, 12, 0, 30, 400e6, time.UTC)
	for _, test := range []struct {
		why    string
		issued time.Duration // after the second of the cut
		cut    time.Time
		want   answer
	}{
		{"there was no cut", 0, time.Time{}, no},
		{"the second before", -time.Second, cut, yes},
		{"the same second", 0, cut, maybe},
		{"the next second, and the cut may not have been committed", time.Second, cut, maybe},
		{"the last second in which it may be committed", 10 * time.Second, cut, maybe},
		{"it was committed before", 11 * time.Second, cut, no},
	} {
		if got := placeOf(cut.Truncate(time.Second).Add(test.issued), test.cut); got != test.want {
			t.Errorf("%s: %v, want %v", test.why, got, test.want)
		}
	}
}
