package verify

import (
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

// why: "Logins and the cut are stamped in transactions that follow each other", and a
// token tells the second, rounded down. "Between the two, which may be any time,
// sessions are still seen live that it ends; after that only others."
func TestPlaceOf(t *testing.T) {
	cut := time.Date(2026, 11, 26, 12, 0, 30, 400e6, time.UTC)
	second := cut.Truncate(time.Second)
	soon, late := cut.Add(time.Millisecond), cut.Add(time.Hour)
	for _, test := range []struct {
		why           string
		login, issued time.Duration // after the second of the cut
		cut, known    time.Time
		want          answer
	}{
		{"there was no cut", 0, 0, time.Time{}, time.Time{}, no},
		{"the second before", -time.Second, -time.Second, cut, soon, yes},
		{"the second before, and it is committed late", -time.Second, 30 * time.Minute, cut, late, yes},
		{"the second before, and seen live long after the cut was known: its time is wrong", -time.Second, 11 * time.Second, cut, soon, no},
		{"the same second", 0, 10 * time.Second, cut, soon, maybe},
		{"the same second, and it is committed late", 0, 30 * time.Minute, cut, late, maybe},
		{"the same second, and seen live long after the cut was known", 0, 11 * time.Second, cut, soon, no},
		{"the same second, and nobody knows when it was committed", 0, 30 * time.Minute, cut, time.Time{}, maybe},
		{"the next second", time.Second, 11 * time.Second, cut, late, no},
		{"the next second, and the clock may have been set back", time.Second, 10 * time.Second, cut, soon, maybe},
		{"the second before a cut at its end", -time.Second, 5 * time.Second, second, soon, yes},
		{"the second that the cut begins", 0, 5 * time.Second, second, soon, maybe},
	} {
		c := &token.Claims{AuthTime: second.Add(test.login), IssuedAt: second.Add(test.issued)}
		if got := placeOf(c, test.cut, test.known); got != test.want {
			t.Errorf("%s: %v, want %v", test.why, got, test.want)
		}
	}
	if got := placeOf(&token.Claims{IssuedAt: second.Add(time.Minute)}, cut, late); got != maybe {
		t.Errorf("a token that tells no login: %v, want %v", got, maybe)
	}
}
