package report

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

func (s *Section) plotName(t *Table, m Metric) string {
	name := "performance-" + s.ID + "-" + t.ID
	if m.Name != t.Metrics[0].Name {
		name += "-" + slug(m.Name)
	}
	return name + ".svg"
}

// slug makes a name part of a file's name.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
	return strings.Join(words, "-")
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

// Plots writes every plot of the report to what create returns for its name.
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
				_, err = io.WriteString(w, t.plot(s.Title+": "+lower(t.Title), m))
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

// The plot: a bar for each row, its figure behind it, the quartiles as a line
// across its end.
const (
	plotWidth = 760
	barsLeft  = 240 // names stand left of here
	barsWidth = 400 // figures stand right of the bars
	barsTop   = 66
	rowHeight = 30
	barHeight = 18
	axisSpace = 30
)

const style = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #15251d }
.title { font-size: 16px; font-weight: 650 }
.soft { fill: #4a5b52; font-size: 12px }
.ours { font-weight: 650 }
.limit { font-style: italic; fill: #4a5b52 }
rect.ours { fill: #14613d }
rect.peer { fill: #a3b5ab }
rect.limit { fill: none; stroke: #76877d; stroke-dasharray: 3 3 }
.grid { stroke: #76877d; stroke-width: .5; stroke-opacity: .45 }
.base { stroke: #76877d }
.spread { stroke: #15251d; stroke-width: 1.5; stroke-opacity: .75 }
.target { stroke: #9f231b; stroke-width: 2 }
text.danger { fill: #9f231b; font-size: 12px }
@media (prefers-color-scheme: dark) {
text { fill: #e6efe9 }
.soft, .limit { fill: #abbbb2 }
rect.ours { fill: #83d9a7 }
rect.peer { fill: #5f7268 }
rect.limit { fill: none; stroke: #abbbb2 }
.spread { stroke: #e6efe9 }
.target { stroke: #ffaa9f }
text.danger { fill: #ffaa9f }
}
</style>
`

// plot draws one metric. It needs no fonts, scripts or styles from elsewhere,
// and follows the reader's light or dark theme.
func (t *Table) plot(title string, m Metric) string {
	var rows []*Row
	for i := range t.Rows {
		if r := &t.Rows[i]; len(r.Samples[m.Name]) > 0 {
			rows = append(rows, r)
		}
	}
	s := newScale(m, rows)
	bottom := barsTop + rowHeight*len(rows)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n%s",
		plotWidth, bottom+axisSpace, html.EscapeString(t.words(m, rows)), style)
	text(&b, "title", 0, 18, "start", title)
	text(&b, "soft", 0, 38, "start", t.subtitle(m, s, rows))
	for _, x := range s.ticks {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", s.at(x), barsTop-6, s.at(x), bottom)
		text(&b, "soft", s.at(x), float64(bottom+18), "middle", m.Unit.short(x))
	}
	fmt.Fprintf(&b, `<line class="base" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", barsLeft, barsTop-6, barsLeft, bottom)
	for i, r := range rows {
		t.bar(&b, m, s, r, barsTop+rowHeight*i)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// bar draws a row.
func (t *Table) bar(b *strings.Builder, m Metric, s scale, r *Row, top int) {
	class := map[Kind]string{Ours: "ours", Peer: "peer", Limit: "limit"}[r.Kind]
	q := Summary(r.Samples[m.Name])
	middle := float64(top) + rowHeight/2
	text(b, class, barsLeft-10, middle+4.5, "end", r.Name)
	end := s.at(q.Median)
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%.1f" width="%.1f" height="%d" rx="2"/>`+"\n",
		class, barsLeft, middle-barHeight/2., math.Max(end-barsLeft, 1), barHeight)
	if high := s.at(q.High); high-s.at(q.Low) > 1.5 {
		fmt.Fprintf(b, `<line class="spread" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", s.at(q.Low), middle, high, middle)
		end = math.Max(end, high)
	}
	figure := m.Unit.Format(q.Median)
	if limit, ok := t.limit(m, r); ok {
		x := s.at(limit)
		fmt.Fprintf(b, `<line class="target" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", x, middle-rowHeight/2.+1, x, middle+rowHeight/2.-1)
		if end < x+4 {
			end = math.Max(end, x)
		}
	}
	text(b, class, end+8, middle+4.5, "start", figure)
}

// limit is where a row's target lies on the axis.
func (t *Table) limit(m Metric, r *Row) (at float64, ok bool) {
	for _, target := range t.Targets {
		if target.Row != r.Name || target.Metric != m.Name {
			continue
		}
		if target.Against == "" {
			return target.Limit, true
		}
		if other, err := t.Row(target.Against); err == nil {
			return target.Limit * Summary(other.Samples[m.Name]).Median, true
		}
	}
	return 0, false
}

func text(b *strings.Builder, class string, x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}

func (t *Table) subtitle(m Metric, s scale, rows []*Row) string {
	words := m.Name + ", shorter is better"
	if m.Higher {
		words = m.Name + ", longer is better"
	}
	if s.log {
		words += ", on a logarithmic scale"
	}
	words += ". Thin line: half of the rounds."
	for _, r := range rows {
		if _, ok := t.limit(m, r); ok {
			return words + " Red: the target."
		}
	}
	return words
}

// lower makes a title part of a sentence.
func lower(title string) string {
	if title == "" {
		return ""
	}
	return strings.ToLower(title[:1]) + title[1:]
}

// words say what the plot shows, for those who can't see it.
func (t *Table) words(m Metric, rows []*Row) string {
	parts := make([]string, len(rows))
	for i, r := range rows {
		parts[i] = r.Name + " " + m.Unit.Format(Summary(r.Samples[m.Name]).Median)
	}
	return t.Title + ", " + m.Name + ": " + strings.Join(parts, ", ")
}

// A scale maps figures to places on the axis.
type scale struct {
	log        bool
	first, end float64
	ticks      []float64
}

func newScale(m Metric, rows []*Row) scale {
	least, most := math.Inf(1), 0.
	for _, r := range rows {
		q := Summary(r.Samples[m.Name])
		most = math.Max(most, math.Max(q.Median, q.High))
		if q.Median > 0 {
			least = math.Min(least, q.Median)
		}
	}
	if most <= 0 {
		most, least = 1, 1
	}
	if m.Log {
		return logScale(least, most)
	}
	step := niceStep(most / 5)
	s := scale{end: most}
	for x := 0.; x <= most*1.001; x += step {
		s.ticks = append(s.ticks, x)
	}
	return s
}

// logScale begins at the power of ten below the least figure.
func logScale(least, most float64) scale {
	first, last := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	s := scale{log: true, first: math.Pow(10, first), end: most}
	for d := first; d <= last && math.Pow(10, d) <= most*1.001; d++ {
		s.ticks = append(s.ticks, math.Pow(10, d))
	}
	return s
}

// niceStep is 1, 2 or 5 times a power of ten, and at least that.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= least {
			return n * power
		}
	}
	return 10 * power
}

// at is where a figure stands.
func (s scale) at(x float64) float64 {
	share := x / s.end
	if s.log {
		share = 0
		if x > s.first {
			share = math.Log(x/s.first) / math.Log(s.end/s.first)
		}
	}
	return barsLeft + barsWidth*math.Max(share, 0)
}

// short writes a tick.
func (u Unit) short(x float64) string {
	if x == 0 {
		return "0"
	}
	figure := u.Format(x)
	number, unit, spaced := strings.Cut(figure, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	if spaced {
		return number + " " + unit
	}
	return number
}
