package verify

import (
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

// why: "Entry.Session names the cut … No session that it ended was created later":
// a token tells the second of its login, rounded down. And "the clock of a database
// server may have been set back shortly before".
func TestPlaceOf(t *testing.T) {
	cut := time.Date(2026, 11, 26, 12, 0, 30, 400e6, time.UTC)
	second := cut.Truncate(time.Second)
	for _, test := range []struct {
		why           string
		login, issued time.Duration // after the second of the cut
		cut           time.Time
		want          answer
	}{
		{"there was no cut", 0, 0, time.Time{}, no},
		{"the second before", -time.Second, -time.Second, cut, yes},
		{"the second before, and the cut was committed late", -time.Second, time.Minute, cut, yes},
		{"the same second", 0, time.Minute, cut, maybe},
		{"the next second", time.Second, 11 * time.Second, cut, no},
		{"the next second, and the clock may have been set back", time.Second, 10 * time.Second, cut, maybe},
		{"the second before a cut at its end", -time.Second, time.Minute, second, yes},
		{"the second that the cut begins", 0, time.Minute, second, maybe},
	} {
		c := &token.Claims{AuthTime: second.Add(test.login), IssuedAt: second.Add(test.issued)}
		if got := placeOf(c, test.cut); got != test.want {
			t.Errorf("%s: %v, want %v", test.why, got, test.want)
		}
	}
	if got := placeOf(&token.Claims{IssuedAt: second.Add(time.Minute)}, cut); got != maybe {
		t.Errorf("a token that tells no login: %v, want %v", got, maybe)
	}
}
