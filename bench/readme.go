package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// highlights are the figures that the README shows: of these rows, by the first
// metric of their table.
var highlights = []struct{ words, section, table, ours, theirs string }{
	{"a request: who asks", "middleware", "identity", "Counterfoil, memory", "scs, memory"},
	{"… and one value of the session is read", "middleware", "read", "Counterfoil, memory", "scs, memory"},
	{"a POST, with the check that it is not forged", "csrf", "post", "Counterfoil", "nosurf"},
	{"an access token, checked again, with its revocation", "tokens", "again", "Counterfoil, few in use", "golang-jwt"},
}

// The README's table stands between these lines.
const (
	begin = "<!-- written by make bench -->\n"
	end   = "<!-- to here -->\n"
)

// writeREADME replaces the README's table of figures.
func writeREADME(r *report.Report, file string) error {
	table, err := highlightTable(r)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return errors.New("-readme: the file has no place for the table: the lines " + strings.TrimSpace(begin) + " and " + strings.TrimSpace(end))
	}
	return os.WriteFile(file, []byte(before+begin+table+end+after), 0o644)
}

func highlightTable(r *report.Report) (string, error) {
	var b strings.Builder
	b.WriteString("| CPU time | Counterfoil | instead | |\n|---|---:|---:|---|\n")
	for _, h := range highlights {
		t, err := r.Table(h.section, h.table)
		if err != nil {
			return "", err
		}
		ours, err := t.Figure(h.ours)
		if err != nil {
			return "", err
		}
		theirs, err := t.Figure(h.theirs)
		if err != nil {
			return "", err
		}
		name, _, _ := strings.Cut(h.theirs, ",")
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", h.words, ours, theirs, name)
	}
	return b.String(), nil
}
