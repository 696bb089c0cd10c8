package faults

import (
	"strings"
	"testing"
	"time"
)

// why: whoever reads the report compares columns, and trusts the sum.
func TestReportText(t *testing.T) {
	var r Report
	r.Bound = second
	result := Result{Database: "A", Nemesis: "none", Numbers: Numbers{Sessions: 2, Ops: 3, Closed: 900 * time.Millisecond}}
	r.Add("A 1", result)
	r.Add("A 1", result)
	result.Violations = make([]Violation, 1)
	r.Add("B 2", result)
	r.Mutants = []MutantResult{{"a mistake", result}}
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"**6 sessions, 9 operations, 1 violations.**", "## A 1\n", "## B 2\n", "| 900 ms |", "| a mistake | A, none | 0 | 1 |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in it:\n%s", want, text.String())
		}
	}
	head, _, _ := strings.Cut(tableHead, "\n")
	if columns := strings.Count(head, "|"); strings.Count(result.row(), "|") != columns {
		t.Errorf("a row has %d columns, the head %d", strings.Count(result.row(), "|"), columns)
	}
}
