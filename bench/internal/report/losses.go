package report

import (
	"fmt"
	"strings"
)

// losses writes where a peer is ahead of us, and which targets were missed.
func (r *Report) losses(b *strings.Builder) error {
	b.WriteString("## Where we lose\n\n")
	n := 0
	for i := range r.Sections {
		for j := range r.Sections[i].Tables {
			for _, line := range r.Sections[i].Tables[j].losses() {
				fmt.Fprintf(b, "- %s: %s\n", r.Sections[i].Title, line)
				n++
			}
		}
	}
	if n == 0 {
		b.WriteString("In this run no peer was ahead in any figure above.\n")
	}
	b.WriteString("\n")
	return nil
}

// losses are the peers that are ahead of our best row, by each metric.
func (t *Table) losses() (lines []string) {
	for _, m := range t.Metrics {
		ours := t.best(m)
		if ours == nil {
			continue
		}
		mine := Summary(ours.Samples[m.Name]).Median
		for i := range t.Rows {
			peer := &t.Rows[i]
			if peer.Kind != Peer || len(peer.Samples[m.Name]) == 0 {
				continue
			}
			theirs := Summary(peer.Samples[m.Name]).Median
			if (theirs < mine && !m.Higher) || (theirs > mine && m.Higher) {
				lines = append(lines, fmt.Sprintf("%s, %s: %s %s, %s %s", t.Title, m.Name,
					peer.Name, m.Unit.Format(theirs), ours.Name, m.Unit.Format(mine)))
			}
		}
	}
	return lines
}

// best is our best row by a metric.
func (t *Table) best(m Metric) (best *Row) {
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.Kind != Ours || len(r.Samples[m.Name]) == 0 {
			continue
		}
		if best == nil || (Summary(r.Samples[m.Name]).Median < Summary(best.Samples[m.Name]).Median) != m.Higher {
			best = r
		}
	}
	return best
}
