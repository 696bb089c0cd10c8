package report

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the document. The plots are expected in images, relative to
// the document: see [Report.Plots].
func (r *Report) Markdown(w io.Writer, images string) error {
	var b strings.Builder
	b.WriteString("# Performance\n\n")
	paragraphs(&b, r.Intro)
	b.WriteString("## Machine and versions\n\n| | |\n|---|---|\n")
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, f.Value)
	}
	b.WriteString("\n")
	for i := range r.Sections {
		if err := r.Sections[i].markdown(&b, images); err != nil {
			return err
		}
	}
	if err := r.losses(&b); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func paragraphs(b *strings.Builder, texts []string) {
	for _, p := range texts {
		b.WriteString(p + "\n\n")
	}
}

func (s *Section) markdown(b *strings.Builder, images string) error {
	fmt.Fprintf(b, "## %s\n\n", s.Title)
	paragraphs(b, s.Text)
	for i := range s.Tables {
		t := &s.Tables[i]
		fmt.Fprintf(b, "### %s\n\n", t.Title)
		paragraphs(b, t.Text)
		for _, m := range t.plotted() {
			fmt.Fprintf(b, "![%s: %s](%s)\n\n", t.Title, m.Name, images+"/"+s.plotName(t, m))
		}
		t.table(b)
		if err := t.targets(b); err != nil {
			return err
		}
	}
	return nil
}

// table writes the rows.
func (t *Table) table(b *strings.Builder) {
	head, line := "| |", "|---|"
	for _, m := range t.Metrics {
		head, line = head+" "+m.Name+" |", line+"---:|"
		if !m.Plain {
			head, line = head+" quartiles |", line+"---:|"
		}
	}
	if t.Baseline != "" {
		head, line = head+" of "+t.Baseline+" |", line+"---:|"
	}
	b.WriteString(head + "\n" + line + "\n")
	for i := range t.Rows {
		b.WriteString("| " + strings.Join(t.cells(&t.Rows[i]), " | ") + " |\n")
	}
	b.WriteString("\n")
	for _, r := range t.Rows {
		if r.Note != "" {
			fmt.Fprintf(b, "%s: %s\n\n", r.Name, r.Note)
		}
	}
}

func (t *Table) cells(r *Row) []string {
	cells := []string{r.Name}
	if r.Kind == Ours {
		cells[0] = "**" + r.Name + "**"
	}
	for _, m := range t.Metrics {
		samples := r.Samples[m.Name]
		if len(samples) == 0 {
			cells = append(cells, "")
			if !m.Plain {
				cells = append(cells, "")
			}
			continue
		}
		q := Summary(samples)
		cells = append(cells, m.Unit.Format(q.Median))
		if !m.Plain {
			cells = append(cells, m.Unit.Format(q.Low)+" – "+m.Unit.Format(q.High))
		}
	}
	if base, err := t.Row(t.Baseline); err == nil {
		m := t.Metrics[0].Name
		cells = append(cells, FormatRatio(Ratio(r.Samples[m], base.Samples[m]).Median))
	}
	return cells
}

func (t *Table) targets(b *strings.Builder) error {
	if len(t.Targets) == 0 {
		return nil
	}
	b.WriteString("| target | measured | |\n|---|---:|---|\n")
	for _, target := range t.Targets {
		v, err := t.Judge(target)
		if err != nil {
			return err
		}
		word := "met"
		if !v.Met {
			word = "**missed**"
		}
		fmt.Fprintf(b, "| %s, %s: %s | %s | %s |\n", target.Row, target.Metric, target.Words, v.Figure, word)
	}
	b.WriteString("\n")
	return nil
}
