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
	heads := t.heads()
	b.WriteString("| | " + strings.Join(heads, " | ") + " |\n|---|" + strings.Repeat("---:|", len(heads)) + "\n")
	for i := range t.Rows {
		r := &t.Rows[i]
		b.WriteString("| " + emphasized(r) + " | " + strings.Join(t.cells(r), " | ") + " |\n")
	}
	b.WriteString("\n")
	for _, r := range t.Rows {
		if r.Note != "" {
			fmt.Fprintf(b, "%s: %s\n\n", r.Name, r.Note)
		}
	}
}

func emphasized(r *Row) string {
	switch r.Kind {
	case Ours:
		return "**" + r.Name + "**"
	case Limit:
		return "*" + r.Name + "*"
	}
	return r.Name
}

// heads name the columns behind the row's name.
func (t *Table) heads() (heads []string) {
	for _, m := range t.Metrics {
		heads = append(heads, m.Name)
		if !m.Plain {
			heads = append(heads, "quartiles")
		}
	}
	if t.Baseline != "" {
		heads = append(heads, "of "+t.Baseline)
	}
	return heads
}

// cells are a row's figures.
func (t *Table) cells(r *Row) (cells []string) {
	for _, m := range t.Metrics {
		samples := r.Samples[m.Name]
		q := Summary(samples)
		median, quartiles := m.Unit.Format(q.Median), m.Unit.Format(q.Low)+" – "+m.Unit.Format(q.High)
		if len(samples) == 0 {
			median, quartiles = "", ""
		}
		cells = append(cells, median)
		if !m.Plain {
			cells = append(cells, quartiles)
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
