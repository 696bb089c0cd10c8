package pages_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server/pages"
)

func TestDemoSaysInWordsWhatThePlotShows(t *testing.T) {
	for _, c := range []struct {
		why   string
		after time.Duration
		late  bool
	}{
		{"a refusal soon leaves room for its label", 300 * time.Millisecond, false},
		{"a label that has no room to the right stands to the left", 1710 * time.Millisecond, true},
		{"a refusal at once has no left side", 0, false},
	} {
		lines := []pages.DemoLine{{Node: "Node A", Status: 401}, {Node: "Node B", After: c.after, Status: 503}}
		if c.after == 300*time.Millisecond {
			lines[0].After = time.Second
		}
		trial := &pages.DemoTrial{Lines: lines}
		var page bytes.Buffer
		if err := (pages.Demo{Bound: 2 * time.Second, Trial: trial}).Render(&page, "nonce"); err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if words := l.Node + " refused " + l.Words() + " with "; !strings.Contains(page.String(), words) {
				t.Errorf("%s: the page lacks the words %q", c.why, words)
			}
		}
		bar := trial.Bars()[1]
		if bar.Late() != c.late || bar.Late() && bar.Accepted < 400 {
			t.Errorf("%s: late: %t, accepted: %d", c.why, bar.Late(), bar.Accepted)
		}
	}
}
