package report

import (
	"fmt"
	"io"
)

func (s *Section) plotName(t *Table, m Metric) string {
	name := "performance-" + s.ID + "-" + t.ID
	if m.Name != t.Metrics[0].Name {
		name += "-" + slug(m.Name)
	}
	return name + ".svg"
}

func slug(s string) string {
	out := []rune{}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			out = append(out, c)
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		case len(out) > 0 && out[len(out)-1] != '-':
			out = append(out, '-')
		}
	}
	return string(out)
}

// plotted are the metrics that have a plot.
func (t *Table) plotted() (metrics []Metric) {
	for i, m := range t.Metrics {
		if !t.NoPlot && (i == 0 || m.Plot) {
			metrics = append(metrics, m)
		}
	}
	return metrics
}

// Plots calls write for every plot of the report.
func (r *Report) Plots(create func(name string) (io.WriteCloser, error)) error {
	for i := range r.Sections {
		s := &r.Sections[i]
		for j := range s.Tables {
			t := &s.Tables[j]
			for _, m := range t.plotted() {
				w, err := create(s.plotName(t, m))
				if err != nil {
					return err
				}
				err = t.plot(w, m)
				if closeErr := w.Close(); err == nil {
					err = closeErr
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// plot draws horizontal bars.
func (t *Table) plot(w io.Writer, m Metric) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"/>`)
	return err
}
