package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Terminal writes the section's tables and verdicts for a terminal.
func (s *Section) Terminal(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "\n%s\n", strings.ToUpper(s.Title))
	for i := range s.Tables {
		t := &s.Tables[i]
		fmt.Fprintf(out, "\n%s\t%s\n", t.Title, strings.Join(t.heads(), "\t"))
		for j := range t.Rows {
			fmt.Fprintf(out, "%s\t%s\n", t.Rows[j].Name, strings.Join(t.cells(&t.Rows[j]), "\t"))
		}
		for _, target := range t.Targets {
			v, err := t.Judge(target)
			if err != nil {
				return err
			}
			word := "met"
			if !v.Met {
				word = "MISSED"
			}
			fmt.Fprintf(out, "  %s: %s, %s, is %s\n", word, target.Row, target.Words, v.Figure)
		}
	}
	return out.Flush()
}
