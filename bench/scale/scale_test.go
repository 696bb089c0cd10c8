package scale

import (
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
)

// The cases check what they measure: every request is answered with the user's
// id, every purge removes all, and what has not happened is an error.
func TestEverythingIsDone(t *testing.T) {
	p := measure.Plan{Rounds: 1, Quick: true}
	memory, err := measureMemory(t, p, []int{100, 1000}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	stalls, err := measureStalls(t, p, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	files, err := measureFiles(t, p, []int{100, 6000})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range append(append(memory, stalls), files...) {
		for _, row := range table.Rows {
			for _, m := range table.Metrics {
				if len(row.Samples[m.Name]) == 0 && !(table.ID == "checks" && m.Name == perFind) {
					t.Errorf("%s: %s has no %q", table.ID, row.Name, m.Name)
				}
			}
		}
		for _, target := range table.Targets {
			if _, err := table.Judge(target); err != nil {
				t.Error(err)
			}
		}
	}
}
