package pages

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// Demo is the page of "counterfoil demo": two nodes side by side, and what a
// logout on one of them did to the other. Its forms post to /login, /logout and
// /cut.
type Demo struct {
	LoggedIn bool
	Nodes    []DemoNode
	Trial    *DemoTrial    // the latest logout; nil: none yet
	Bound    time.Duration // Δ
	TokenFor time.Duration // how long the token's own expiry lies ahead
	Problem  Problem
}

// DemoNode is what one node says to the token, at the moment or at the end of
// the trial.
type DemoNode struct {
	Name   string
	URL    string
	Store  string // where its sessions are
	Status int    // 200, 401 or 503; zero: nobody has logged in yet
}

// Says puts the status into words.
func (n DemoNode) Says() string {
	switch n.Status {
	case 0:
		return "nothing yet"
	case 200:
		return "John is logged in"
	case 401:
		return "the session has ended"
	default:
		return "it can’t tell, so nobody gets in"
	}
}

// DemoTrial is a logout and what followed. Times count from when node A said
// that John was logged out.
type DemoTrial struct {
	Cut   bool // node B could not reach the store
	Lines []DemoLine
}

// DemoLine is one node's answers.
type DemoLine struct {
	Node   string
	After  time.Duration // when the first request that was refused began; zero or less: it refused already
	Status int           // of the refusal
}

// Render writes the page, as [Login.Render] does.
func (d Demo) Render(w io.Writer, nonce string) error {
	return render(w, "demo.html", view{Nonce: nonce, Title: "One logout, two nodes", Erring: d.Problem.Text != "", Page: d})
}

// Words is when the node refused.
func (l DemoLine) Words() string {
	if l.After <= 0 {
		return "at once"
	}
	return "after " + threeDigits(l.After)
}

// threeDigits gives three digits.
func threeDigits(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'g', 3, 64) + " ms"
}

// The plot is drawn in these units.
const (
	plotLeft  = 90
	plotRight = 690
	plotLabel = 160 // as wide as what a bar says, at most
)

// End is where the plot's time ends: a round number beyond the last refusal.
func (t DemoTrial) End() time.Duration {
	last := time.Millisecond
	for _, l := range t.Lines {
		last = max(last, l.After)
	}
	for end := 2 * time.Millisecond; ; end *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if round := end / 2 * factor; round > last*11/10 {
				return round
			}
		}
	}
}

// A DemoTick is a mark on the plot's axis.
type DemoTick struct {
	X     int
	Label string
}

// Ticks are the marks on the axis.
func (t DemoTrial) Ticks() (ticks []DemoTick) {
	for i := range 5 {
		at := t.End() * time.Duration(i) / 4
		ticks = append(ticks, DemoTick{t.x(at), threeDigits(at)})
	}
	ticks[0].Label = "0"
	return ticks
}

func (t DemoTrial) x(at time.Duration) int {
	return plotLeft + int((plotRight-plotLeft)*at/t.End())
}

// A DemoBar is one node's line in the plot.
type DemoBar struct {
	DemoLine
	Y, Accepted, Refused, From int // heights and widths in the plot's units
}

// Bars are the lines of the plot.
func (t DemoTrial) Bars() (bars []DemoBar) {
	for i, l := range t.Lines {
		from := t.x(max(l.After, 0))
		bars = append(bars, DemoBar{DemoLine: l, Y: 20 + 50*i, Accepted: from - plotLeft, From: from, Refused: plotRight - from})
	}
	return bars
}

// Late reports whether the refused part is too narrow for its label, which then
// stands in the accepted one.
func (b DemoBar) Late() bool { return b.Refused < plotLabel }

// TokenWords is how long the token would go on without its session.
func (d Demo) TokenWords() string { return humanDuration(d.TokenFor) }

// BoundWords is the bound.
func (d Demo) BoundWords() string { return humanDuration(d.Bound) }
