package pages

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	tests := []struct {
		why  string
		ago  time.Duration
		want string
	}{
		{"now", 0, "just now"},
		{"clocks differ a little", -59 * time.Second, "just now"},
		{"a minute", time.Minute, "1 minute ago"},
		{"rounded down", 3*time.Minute + 59*time.Second, "3 minutes ago"},
		{"hours", 23*time.Hour + 59*time.Minute, "23 hours ago"},
		{"a day", 24 * time.Hour, "1 day ago"},
		{"ahead, and a moment has passed", -time.Hour + time.Second, "in 1 hour"},
		{"ahead", -90 * time.Minute, "in 1 hour"},
		{"as long as a session may last", -30 * day, "in 30 days"},
		{"so long ago that the date says more", 46 * day, "8 October 2026"},
	}
	for _, tt := range tests {
		if got := momentOf(now, now.Add(-tt.ago)); got.Human != tt.want {
			t.Errorf("%s: %q, want %q", tt.why, got.Human, tt.want)
		}
	}

	zone := time.FixedZone("", 2*60*60)
	got := momentOf(now, time.Date(2026, 11, 23, 11, 57, 4, 5, zone))
	want := moment{"2026-11-23T09:57:04Z", "Monday 23 November 2026, 09:57:04 UTC", "2 minutes ago"}
	if got != want {
		t.Errorf("got %+v, want %+v: the server does not know the visitor's zone, so times are UTC", got, want)
	}
}
