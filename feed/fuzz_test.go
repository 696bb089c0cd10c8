package feed

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/store"
)

// seeds adds one member of each case of a file of vectors.
func seeds(f *testing.F, file, member string, add func(string)) {
	f.Helper()
	data, err := os.ReadFile("testdata/" + file)
	check(f, err)
	var v struct{ Cases []map[string]any }
	check(f, json.Unmarshal(data, &v))
	for _, c := range v.Cases {
		add(c[member].(string))
	}
}

// A snapshot that is read is one that a node could have written.
func FuzzReadSnapshot(f *testing.F) {
	seeds(f, "snapshots.json", "base64", func(s string) {
		data, err := base64.StdEncoding.DecodeString(s)
		check(f, err)
		f.Add(data)
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		news, hold, err := readSnapshot(bytes.NewReader(data), 1000)
		if err == nil && !bytes.Equal(appendSnapshot(nil, news, hold), data) {
			t.Error("another snapshot was taken for this one")
		}
	})
}

// An answer counts only for its question, and never for longer than it may.
func FuzzAnswer(f *testing.F) {
	seeds(f, "renewals.json", "body", func(s string) { f.Add(strings.ReplaceAll(s, "$NONCE", "00000000000000000000000000000007")) })
	f.Fuzz(func(t *testing.T, body string) {
		p, err := parseProof([]byte(body), hexID{15: 7})
		if err != nil {
			return
		}
		if !strings.Contains(body, "00000000000000000000000000000007") && !strings.Contains(body, `\u`) {
			t.Error("the nonce is not there")
		}
		if p.age < 0 || p.age > maxHold || p.bound < 0 || p.bound > maxHold || p.hold < 0 || p.hold > maxHold || p.Now.IsZero() {
			t.Errorf("accepted %+v", p)
		}
		again, err := parseProof(appendProof(nil, hexID{15: 7}, p), hexID{15: 7})
		if err != nil || again.Head != p.Head || len(again.Entries) != len(p.Entries) || again.age < p.age {
			t.Errorf("written and read again it is %+v (%v), not %+v", again, err, p)
		}
	})
}

// Whatever comes on a stream, the reader ends, and hints hold whole entries.
func FuzzStream(f *testing.F) {
	seeds(f, "streams.json", "stream", func(s string) { f.Add(s) })
	f.Fuzz(func(t *testing.T, stream string) {
		err := readEvents(strings.NewReader(stream), func(_ store.Hint, _ store.Cursor, entries []store.Entry) {
			for _, e := range entries {
				if e.Session.IsZero() || e.Expires.IsZero() || e.Kind != store.SessionEnded && e.Kind != store.AllEnded {
					t.Errorf("an entry %+v", e)
				}
			}
		})
		if err == nil {
			t.Error("it ends without an error")
		}
	})
}
