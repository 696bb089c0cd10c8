package counterfoil

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

// draft-ietf-oauth-status-list-20, sections 4.1 and 4.2, and its appendix of test
// vectors. Compressors differ, so what is compared is what a reader gets.
func TestStatusListVectors(t *testing.T) {
	long := make([]byte, store.ListSize/8)
	for _, index := range []int{0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345} {
		long[index/8] |= 1 << (index % 8)
	}
	for _, c := range []struct {
		why  string
		bits []byte
		lst  string
	}{
		{"byte_array = [0xb9, 0xa3]", []byte{0xb9, 0xa3}, "eNrbuRgAAhcBXQ"},
		{"1-bit Status List, of 2^20 places", long, "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogE" +
			"AAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
			"AAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAA" +
			"A7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAA" +
			"ACAZC8L2AEb"},
	} {
		if got := decodeStatuses(t, c.lst); !bytes.Equal(got, c.bits) {
			t.Errorf("%s: the vector is not what the draft says of it", c.why)
		}
		if got := decodeStatuses(t, encodeStatuses(c.bits)); !bytes.Equal(got, c.bits) {
			t.Errorf("%s: a reader gets something else", c.why)
		}
	}
}

func decodeStatuses(t *testing.T, lst string) []byte {
	t.Helper()
	compressed, err := base64.RawURLEncoding.DecodeString(lst)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(compressed)) // section 4.1: "in the ZLIB data format"
	if err != nil {
		t.Fatal(err)
	}
	bits, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return bits
}

// A place is given once: neither a full list nor the next one has it again.
func TestEachPlaceIsGivenOnce(t *testing.T) {
	m := newListed(t, memory.New(memory.Config{}))
	seen := map[uint32][]bool{}
	for range 2*store.ListSize + 1 {
		id, err := m.newSID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, index, ok := id.Listed()
		if seen[list] == nil {
			seen[list] = make([]bool, store.ListSize)
		}
		if !ok || seen[list][index] {
			t.Fatalf("place %d of list %d was given twice", index, list)
		}
		seen[list][index] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d lists have 2 x 2^20 + 1 places", len(seen))
	}
}

func newListed(t *testing.T, st store.Store) *Manager {
	t.Helper()
	m, err := New(Config{Store: st, StatusLists: true, PublicURL: "http://localhost:8080", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// "An interface that never guesses": numbers only grow, and where there are none
// no session begins.
func TestNumbersOfLists(t *testing.T) {
	now := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	for _, c := range []struct {
		why    string
		record listRecord
		now    time.Time
		cut    int64
		list   uint32
		after  listRecord
	}{
		{"the first is the time", listRecord{}, now, 0, 1773480413, listRecord{Next: 1773480414}},
		{"another in the same second", listRecord{Next: 1773480414}, now, 0, 1773480414, listRecord{Next: 1773480415}},
		{"after a clock was set back", listRecord{Next: 1773480415}, now.Add(-time.Hour), 0, 1773480415, listRecord{Next: 1773480416}},
		{"of a store that is restored from a backup", listRecord{Next: 17}, now, 0, 1773480413, listRecord{Next: 1773480414}},
		{"after a cut", listRecord{Next: 1773480414}, now, 99, 1773480414, listRecord{Next: 1773480415, Cut: 99, First: 1773480414}},
		{"after a cut that others know", listRecord{Next: 1773480415, Cut: 99, First: 1773480414}, now, 99, 1773480415, listRecord{Next: 1773480416, Cut: 99, First: 1773480414}},
		{"after a cut that only others know", listRecord{Next: 1773480415, Cut: 99, First: 1773480414}, now, 0, 1773480415, listRecord{Next: 1773480416, Cut: 99, First: 1773480414}},
		{"a clock from before 1970", listRecord{}, time.Unix(-5, 0), 0, 1, listRecord{Next: 2}},
	} {
		list, err := c.record.take(c.now, c.cut)
		if err != nil || list != c.list || c.record != c.after {
			t.Errorf("%s: %d, %v, %+v: want %d, %+v", c.why, list, err, c.record, c.list, c.after)
		}
	}
	for _, c := range []struct {
		why    string
		record listRecord
		now    time.Time
	}{
		{"all are given", listRecord{Next: math.MaxUint32}, now},
		{"a clock that is wrong by a century", listRecord{}, now.AddDate(100, 0, 0)},
	} {
		before := c.record
		if list, err := c.record.take(c.now, 0); err == nil || c.record != before {
			t.Errorf("%s: gave %d", c.why, list)
		}
	}
}

// A list is void if the end of everybody's sessions came after it was begun.
func TestVoidLists(t *testing.T) {
	for _, c := range []struct {
		why    string
		record listRecord
		list   uint32
		cut    int64
		void   bool
	}{
		{"no cut ever", listRecord{Next: 9}, 5, 0, false},
		{"nobody has taken a list since the cut", listRecord{Next: 9}, 5, 99, true},
		{"begun before the cut", listRecord{Next: 9, Cut: 99, First: 6}, 5, 99, true},
		{"begun before a cut that the log has forgotten", listRecord{Next: 9, Cut: 99, First: 6}, 5, 0, true},
		{"begun before a cut that the view does not know of yet", listRecord{Next: 9, Cut: 99, First: 6}, 5, 98, true},
		{"begun after the cut", listRecord{Next: 9, Cut: 99, First: 6}, 6, 99, false},
		{"begun after the cut, by who did not know", listRecord{Next: 9, Cut: 99, First: 6}, 7, 99, false},
		{"begun before another cut", listRecord{Next: 9, Cut: 99, First: 6}, 7, 100, true},
	} {
		if got := c.record.void(c.list, c.cut); got != c.void {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}

// Every list fits, whichever sessions have ended.
func TestTheLargestStatusListFits(t *testing.T) {
	m := newListed(t, memory.New(memory.Config{}))
	bits := make([]byte, store.ListSize/8)
	for i, x := 0, uint64(1); i < len(bits); i++ {
		x = x*6364136223846793005 + 1442695040888963407
		bits[i] = byte(x >> 56)
	}
	encoded := encodeStatuses(bits)
	if len(encoded) < len(bits) {
		t.Fatalf("%d bytes: it can be compressed, so this shows nothing", len(encoded))
	}
	if _, err := m.SignJWT(statusType, m.statusClaims(math.MaxUint32, time.Now(), encoded)); err != nil {
		t.Error(err)
	}
}

// However many lists are asked for, few are kept.
func TestFewStatusListsAreKept(t *testing.T) {
	m := newListed(t, memory.New(memory.Config{}))
	id, err := m.newSID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last, _, _ := id.Listed()
	if err := m.follower.Prove(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(3 * maxSignedList) {
		if _, err := m.signedList(t.Context(), last-i); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.statuses.view.signed); n > maxSignedList {
		t.Errorf("%d lists are kept", n)
	}
}
