package latency

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"
)

// The plot: one row for each place, time on a logarithmic axis, idle above the
// line and load below it.
const (
	plotLeft   = 150
	plotWidth  = 600
	rowHeight  = 96
	barHeight  = 36
	plotTop    = 70
	firstTime  = 10 * time.Microsecond // what is less is drawn here
	perDecade  = 12
	axisMargin = 40
)

// WriteSVG writes the histogram of every series. It needs no fonts, scripts or
// styles from elsewhere, and follows the reader's light or dark theme.
func (r *Report) WriteSVG(w io.Writer) error {
	decades := int(math.Ceil(math.Log10(float64(2*r.Bound) / float64(firstTime))))
	places := r.places()
	height := plotTop + rowHeight*len(places) + axisMargin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n",
		plotLeft+plotWidth+30, height, html.EscapeString(r.words()))
	b.WriteString(`<style>
text { font: 13px system-ui, sans-serif; fill: #15251d }
.title { font-size: 16px; font-weight: 650 }
.soft { fill: #4a5b52; font-size: 12px }
.idle { fill: #14613d }
.load { fill: #6fae8c }
.grid { stroke: #76877d; stroke-width: .5 }
.bound { stroke: #9f231b; stroke-width: 1.5; stroke-dasharray: 5 4 }
.danger { fill: #9f231b }
@media (prefers-color-scheme: dark) {
text { fill: #e6efe9 }
.soft { fill: #abbbb2 }
.idle { fill: #83d9a7 }
.load { fill: #3f7d5c }
.bound { stroke: #ffaa9f }
.danger { fill: #ffaa9f }
}
</style>
`)
	fmt.Fprintf(&b, `<text class="title" x="0" y="18">How long a logged-out token still worked</text>`+"\n")
	fmt.Fprintf(&b, `<text class="soft" x="0" y="38">%d nodes, %d verifiers. Above the line: idle. Below: %d other sessions a second. Leftmost: at once.</text>`+"\n", r.Nodes, r.Verifiers, r.Load)
	bottom := plotTop + rowHeight*len(places)
	for d := 0; d <= decades; d++ {
		at := firstTime * time.Duration(math.Pow10(d))
		x := position(at, decades)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="soft" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x, plotTop-12, x, bottom, x, bottom+18, at)
	}
	x := position(r.Bound, decades)
	fmt.Fprintf(&b, `<line class="bound" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="danger" x="%.1f" y="%d" text-anchor="end">the bound</text>`+"\n",
		x, plotTop-12, x, bottom, x-6, plotTop)
	for i, name := range places {
		y := plotTop + rowHeight*i + rowHeight/2
		fmt.Fprintf(&b, `<text x="0" y="%d">%s</text><line class="grid" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", y+4, html.EscapeString(name), plotLeft, y, plotLeft+plotWidth, y)
		for j := range r.Series {
			if s := &r.Series[j]; s.Where == name {
				s.draw(&b, y, decades)
			}
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// draw draws a histogram upwards (idle) or downwards (load).
func (s *Series) draw(b *strings.Builder, y, decades int) {
	most := 0
	counts := make([]int, decades*perDecade)
	low := time.Duration(0)
	for i := range counts {
		high := time.Duration(float64(firstTime) * math.Pow(10, float64(i+1)/perDecade))
		counts[i] = s.between(low, high)
		most = max(most, counts[i])
		low = high
	}
	const width = float64(plotWidth) / perDecade
	for i, n := range counts {
		if n == 0 {
			continue
		}
		h := math.Max(float64(barHeight)*float64(n)/float64(most), 1.5)
		top := float64(y) - h
		if s.Load {
			top = float64(y)
		}
		fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n",
			s.run(), plotLeft+width*float64(i)/float64(decades), top, width/float64(decades)-1, h)
	}
}

// position is where a time stands on the axis.
func position(at time.Duration, decades int) float64 {
	return plotLeft + plotWidth*math.Log10(float64(max(at, firstTime))/float64(firstTime))/float64(decades)
}

// places lists the places in order.
func (r *Report) places() (places []string) {
	seen := map[string]bool{}
	for i := range r.Series {
		if where := r.Series[i].Where; !seen[where] {
			seen[where] = true
			places = append(places, where)
		}
	}
	return places
}

// words say what the plot shows, for those who can't see it.
func (r *Report) words() string {
	var b strings.Builder
	for i := range r.Series {
		s := &r.Series[i]
		fmt.Fprintf(&b, "%s, %s: half within %s ms, all within %s ms. ", s.Where, s.run(), milliseconds(s.Quantile(.5)), milliseconds(s.Quantile(1)))
	}
	return strings.TrimSpace(b.String())
}
