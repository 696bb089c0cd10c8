package counterfoil

import (
	"reflect"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Rotate writes what a session was made of: a field that got lost on the way
// would be gone from the store.
func TestSessionKeepsItsRecord(t *testing.T) {
	var full store.Session
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i).Addr().Interface().(type) {
		case *store.SID:
			f[0] = byte(i + 1)
		case *string:
			*f = v.Type().Field(i).Name
		case *time.Time:
			*f = time.UnixMilli(1_800_000_000_000 + int64(i)).UTC()
		case *time.Duration:
			*f = time.Hour + time.Millisecond
		case *bool:
			*f = true
		case *store.Digest:
			f[0] = 1
		default:
			t.Fatalf("%s: a type that this test does not know", v.Type().Field(i).Name)
		}
	}
	anonymous := full
	anonymous.User, anonymous.AuthTime = "", time.Time{}
	lasting := full
	lasting.Deadline = full.Deadline.Add(24 * time.Hour) // it is the idle time-out that ends it
	for name, record := range map[string]store.Session{"full": full, "anonymous": anonymous, "lasting": lasting, "zero": {}} {
		s := newSession(&record)
		if s.HasCookie() != (record.Secret != store.Digest{}) {
			t.Errorf("%s: HasCookie is %v", name, s.HasCookie())
		}
		if got, want := s.Expires(), record.Expires(); !got.Equal(want) {
			t.Errorf("%s: expires at %v, want %v", name, got, want)
		}
		record.Secret = store.Digest{} // which nobody reads out of a session
		if got := s.record(); got != record {
			t.Errorf("%s: made of\n%+v, it gives back\n%+v", name, record, got)
		}
	}
}

// What FromContext returns to visitors without a session.
func TestZeroSessionHasNoTimes(t *testing.T) {
	s := new(Session)
	for name, at := range map[string]time.Time{
		"Created": s.Created(), "AuthTime": s.AuthTime(), "LastSeen": s.LastSeen(), "Expires": s.Expires(), "Deadline": s.Deadline(),
	} {
		if !at.IsZero() {
			t.Errorf("%s is %v", name, at)
		}
	}
}
