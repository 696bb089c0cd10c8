package store

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSIDLayout(t *testing.T) {
	now := time.UnixMilli(0x0198c0de1234)
	for range 1000 {
		id := NewSID(now)
		s := id.String()
		if !strings.HasPrefix(s, "0198c0de-1234-7") {
			t.Fatalf("%s: the first 48 bits are the time, the next four the version 7 (RFC 9562 section 5.7)", s)
		}
		if !strings.ContainsRune("89ab", rune(s[19])) {
			t.Fatalf("%s: the variant is 10 in binary (RFC 9562 section 4.1)", s)
		}
	}
}

func TestSIDsAreUniqueAndUnbiased(t *testing.T) {
	const n = 100_000 // requirement 1: collect 100,000: no duplicate, one length, no bias
	now := time.Now()
	seen := make(map[SID]bool, n)
	var ones [128]int
	for range n {
		id := NewSID(now)
		seen[id] = true
		if len(id.String()) != 36 {
			t.Fatalf("%q has another length", id)
		}
		for bit := range ones {
			ones[bit] += int(id[bit/8] >> (7 - bit%8) & 1)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d ids are duplicates", n-len(seen), n)
	}
	random := 0
	deviation := 6 * math.Sqrt(n) / 2 // of an honest coin, once in 500 million
	for bit, count := range ones {
		if count == 0 || count == n {
			continue // time, version and variant
		}
		random++
		if math.Abs(float64(count)-n/2) > deviation {
			t.Errorf("bit %d is set in %d of %d ids", bit, count, n)
		}
	}
	if random != 74 {
		t.Errorf("%d bits are random, want 74", random)
	}
}

func TestSIDsOrderByTime(t *testing.T) {
	start := time.Now()
	var ids []SID
	for i := range 100 {
		ids = append(ids, NewSID(start.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSortedFunc(ids, func(a, b SID) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("ids order by time, but these don't")
	}
	if !slices.IsSortedFunc(ids, func(a, b SID) int { return strings.Compare(a.String(), b.String()) }) {
		t.Error("ids order by time also when they are written out, but these don't")
	}
}

func TestParseSIDTakesOneSpelling(t *testing.T) {
	const good = "0198c0de-0000-7000-8000-0123456789ab"
	id, err := ParseSID(good)
	if err != nil || id.String() != good {
		t.Fatalf("%s came back as %s, error %v", good, id, err)
	}
	for name, bad := range map[string]string{
		"empty":           "",
		"short":           good[1:],
		"long":            good + "0",
		"upper case":      strings.ToUpper(good),
		"one upper case":  "0198c0de-0000-7000-8000-0123456789aB",
		"no hyphens":      strings.ReplaceAll(good, "-", "0"),
		"hyphens astray":  "0198c0d-e0000-7000-8000-0123456789ab",
		"braces":          "{" + good[1:35] + "}",
		"not a digit":     "0198c0dg-0000-7000-8000-0123456789ab",
		"space":           " " + good[1:],
		"newline":         good[:35] + "\n",
		"NUL":             good[:35] + "\x00",
		"wide digit":      good[:33] + "１",
		"without hyphens": strings.ReplaceAll(good, "-", ""),
	} {
		if id, err := ParseSID(bad); err == nil || !id.IsZero() {
			t.Errorf("%s: %q was read as %s, error %v: an id has one spelling", name, bad, id, err)
		}
	}
}

func FuzzParseSID(f *testing.F) {
	f.Add("0198c0de-0000-7000-8000-0123456789ab")
	f.Add("0198C0DE-0000-7000-8000-0123456789AB")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseSID(s); err == nil && id.String() != s {
			t.Errorf("%q was read, and is written %q", s, id)
		}
	})
}

func TestExpires(t *testing.T) {
	seen := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		why      string
		idle     time.Duration
		deadline time.Time
		want     time.Time
	}{
		{"Idle: the session ends this long after LastSeen.", time.Hour, seen.Add(2 * time.Hour), seen.Add(time.Hour)},
		{"Deadline: and here at the latest.", time.Hour, seen.Add(time.Minute), seen.Add(time.Minute)},
		{"Both at once.", time.Hour, seen.Add(time.Hour), seen.Add(time.Hour)},
		{"A deadline that has passed does not wait for the idle time.", time.Hour, seen.Add(-time.Hour), seen.Add(-time.Hour)},
	} {
		s := Session{LastSeen: seen, Idle: c.idle, Deadline: c.deadline}
		if got := s.Expires(); !got.Equal(c.want) {
			t.Errorf("%s\ngot %v, want %v", c.why, got, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	valid := func(change func(*Session)) error {
		s := Session{ID: NewSID(time.Now()), Idle: time.Hour}
		change(&s)
		return s.Validate()
	}
	user, text := strings.Repeat("x", MaxUser), strings.Repeat("x", MaxText)
	if err := valid(func(s *Session) {
		s.Idle, s.User, s.Name = time.Millisecond, user, user
		s.UserAgent, s.Address, s.Methods = text, text, text
	}); err != nil {
		t.Errorf("everything at its limit: %v", err)
	}
	for name, change := range map[string]func(*Session){
		"user":       func(s *Session) { s.User = user + "x" },
		"name":       func(s *Session) { s.Name = user + "x" },
		"user agent": func(s *Session) { s.UserAgent = text + "x" },
		"address":    func(s *Session) { s.Address = text + "x" },
		"methods":    func(s *Session) { s.Methods = text + "x" },
	} {
		if err := valid(change); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrTooLarge)
		}
	}
	for name, change := range map[string]func(*Session){
		"no id":         func(s *Session) { s.ID = SID{} },
		"no idle time":  func(s *Session) { s.Idle = 0 },
		"negative idle": func(s *Session) { s.Idle = -time.Hour },
		"tiny idle":     func(s *Session) { s.Idle = time.Millisecond - 1 },
	} {
		if err := valid(change); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
