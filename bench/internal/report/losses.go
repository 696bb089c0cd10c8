package report

import (
	"fmt"
	"strings"
)

// losses writes every figure in which a peer is ahead of us, and the targets
// that we missed.
func (r *Report) losses(b *strings.Builder) error {
	b.WriteString("## Where we lose\n\n")
	var ahead, missed []string
	for i := range r.Sections {
		for j := range r.Sections[i].Tables {
			t := &r.Sections[i].Tables[j]
			where := r.Sections[i].Title + ": " + t.Title
			for _, l := range t.losses() {
				ahead = append(ahead, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", where, l.what, l.peer, l.theirs, l.ours, l.ratio))
			}
			for _, target := range t.Targets {
				v, err := t.Judge(target)
				if err != nil {
					return err
				}
				if !v.Met {
					missed = append(missed, fmt.Sprintf("| %s | %s | %s: %s | %s |", where, target.Row, target.Metric, target.Words, v.Figure))
				}
			}
		}
	}
	list(b, ahead, "Every figure above in which another library is ahead of us in its median. Where the quartiles of the ratio lie on both sides of 1, the next run may say otherwise: that is noted as even.",
		"| where | what | ahead | theirs | ours | ours to theirs |\n|---|---|---|---:|---:|---:|",
		"In this run no library is ahead of us in any figure above.")
	list(b, missed, "The targets that this run missed:", "| where | row | target | measured |\n|---|---|---|---:|", "This run missed no target.")
	return nil
}

// list writes a table, or a sentence where there are no rows.
func list(b *strings.Builder, rows []string, text, head, none string) {
	if len(rows) == 0 {
		b.WriteString(none + "\n\n")
		return
	}
	b.WriteString(text + "\n\n" + head + "\n" + strings.Join(rows, "\n") + "\n\n")
}

// A loss is a figure in which a peer is ahead.
type loss struct{ what, peer, theirs, ours, ratio string }

// losses compares each of our rows with each peer of the same group.
func (t *Table) losses() (found []loss) {
	for _, m := range t.Metrics {
		for i := range t.Rows {
			ours := &t.Rows[i]
			for j := range t.Rows {
				peer := &t.Rows[j]
				if ours.Kind == Ours && peer.Kind == Peer && ours.Group == peer.Group {
					if l, ok := lose(m, ours, peer); ok {
						found = append(found, l)
					}
				}
			}
		}
	}
	return found
}

// lose tells whether a peer is ahead of one of our rows by a metric.
func lose(m Metric, ours, peer *Row) (loss, bool) {
	a, b := ours.Samples[m.Name], peer.Samples[m.Name]
	if len(a) == 0 || len(b) == 0 {
		return loss{}, false
	}
	mine, theirs := Summary(a).Median, Summary(b).Median
	if m.Higher && theirs <= mine || !m.Higher && theirs >= mine {
		return loss{}, false
	}
	ratio := Ratio(a, b)
	words := FormatRatio(ratio.Median)
	if theirs == 0 {
		words = "" // theirs is nothing
	} else if ratio.Low < 1 && ratio.High > 1 {
		words += ", even"
	}
	return loss{m.Name, peer.Name, m.Unit.Format(theirs), ours.Name + ": " + m.Unit.Format(mine), words}, true
}
