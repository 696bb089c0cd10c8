package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// Every module that an adapter imports is one whose version the document shows.
func TestVersionsAreShown(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1)
	if len(direct) < 10 {
		t.Fatalf("found %d modules only", len(direct))
	}
	for _, m := range direct {
		if m[1] != "github.com/counterfoil/counterfoil" && !slices.Contains(compared, m[1]) {
			t.Errorf("the version of %s is not shown", m[1])
		}
	}
}

// The README's figures are those of the report, and the rest of it stays.
func TestWriteREADME(t *testing.T) {
	var r report.Report
	for _, h := range highlights {
		row := func(name string, ns float64) report.Row {
			return report.Row{Name: name, Samples: map[string][]float64{"CPU": {ns}}}
		}
		r.Sections = append(r.Sections, report.Section{ID: h.section, Tables: []report.Table{{
			ID:      h.table,
			Metrics: []report.Metric{{Name: "CPU"}},
			Rows:    []report.Row{row(h.ours, 400), row(h.theirs, 20_000)},
		}}})
	}
	file := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Before.\n" + begin + "| old |\n" + end + "After.\n")
	if err := writeREADME(&r, file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.HasPrefix(text, "Before.\n"+begin+"| CPU time") || !strings.HasSuffix(text, end+"After.\n") || strings.Contains(text, "old") {
		t.Errorf("it is\n%s", text)
	}
	if n := strings.Count(text, "| 400 ns | 20.0 µs |"); n != len(highlights) {
		t.Errorf("it has %d of %d lines:\n%s", n, len(highlights), text)
	}

	write("There is no place.\n")
	if err := writeREADME(&r, file); err == nil {
		t.Error("a file without a place for the table is written")
	}
	r.Sections = r.Sections[:1]
	if _, err := highlightTable(&r); err == nil {
		t.Error("the README is written though not all was measured")
	}
}
