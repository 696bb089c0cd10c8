package store

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestListedSIDLayout(t *testing.T) {
	now := time.UnixMilli(0x0198c0de1234)
	id := NewListedSID(now, 0x12345678, 0x9abcd)
	s := id.String()
	if !strings.HasPrefix(s, "0198c0de-1234-8") {
		t.Errorf("%s: the first 48 bits are the time, as in other ids, the next four the version 8 (RFC 9562 section 5.8)", s)
	}
	if !strings.ContainsRune("89ab", rune(s[19])) {
		t.Errorf("%s: the variant is 10 in binary (RFC 9562 section 4.1)", s)
	}
	if !strings.HasSuffix(s, "1-23456789abcd") {
		t.Errorf("%s: the place is at the end", s)
	}
	if !id.Time().Equal(now) {
		t.Errorf("made at %v, not %v", id.Time(), now)
	}
}

func TestListedSIDCarriesItsPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, index := rapid.Uint32().Draw(t, "list"), rapid.Uint32Max(ListSize-1).Draw(t, "index")
		id := NewListedSID(time.UnixMilli(rapid.Int64Range(0, 1<<48-1).Draw(t, "time")), list, index)
		parsed, err := ParseSID(id.String())
		if err != nil || parsed != id {
			t.Fatalf("%v is read as %v: %v", id, parsed, err)
		}
		if l, i, ok := parsed.Listed(); l != list || i != index || !ok {
			t.Fatalf("carries %d, %d, %v: want %d, %d", l, i, ok, list, index)
		}
	})
}

func TestOtherSIDsCarryNoPlace(t *testing.T) {
	for range 1000 {
		id := NewSID(time.Now())
		if l, i, ok := id.Listed(); ok {
			t.Fatalf("%v carries %d, %d", id, l, i)
		}
	}
	if _, _, ok := (SID{}).Listed(); ok {
		t.Error("no id carries a place")
	}
}

// The place alone makes it unique; the random bits are for a place that was
// given twice, by a store that has gone back in time.
func TestListedSIDsDifferAtOnePlace(t *testing.T) {
	now, seen := time.Now(), map[SID]bool{}
	for range 100 {
		seen[NewListedSID(now, math.MaxUint32, ListSize-1)] = true
	}
	if len(seen) < 99 {
		t.Errorf("%d ids of 100 differ", len(seen))
	}
}

func TestListedSIDsOrderByTime(t *testing.T) {
	start := time.Now()
	earlier, later := NewListedSID(start, 9, 9), NewListedSID(start.Add(time.Millisecond), 1, 1)
	if bytes.Compare(earlier[:], later[:]) >= 0 || earlier.String() >= later.String() {
		t.Errorf("ids order by time, but these don't: %v, %v", earlier, later)
	}
	if old := NewSID(start.Add(2 * time.Millisecond)); bytes.Compare(later[:], old[:]) >= 0 {
		t.Error("ids of both kinds order by time")
	}
}
