// Package report turns measurements into tables, plots and verdicts. Every word
// of a verdict is computed from the samples.
package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// A Report is the whole document.
type Report struct {
	Intro    []string // paragraphs, in Markdown
	Facts    []Fact   // the machine and the versions
	Sections []Section
}

// A Fact is a line of the table of machine and versions.
type Fact struct{ Name, Value string }

// A Section is one group of measurements: a chapter of the document.
type Section struct {
	ID     string // of letters and dashes: part of the plots' file names
	Title  string
	Text   []string // paragraphs, in Markdown, before the tables
	Tables []Table
}

// A Table compares rows, which did the same work, by one metric or several.
type Table struct {
	ID      string // unique within the section
	Title   string
	Text    []string // paragraphs below the title
	Metrics []Metric
	Rows    []Row
	// Baseline is the name of the row that the others are compared with, by the
	// first metric. Empty: there is no column of ratios.
	Baseline string
	Targets  []Target
	// NoPlot leaves the plot out.
	NoPlot bool
}

// A Metric is what a column shows.
type Metric struct {
	Name   string // such as "CPU per request"; unique within the table
	Unit   Unit
	Higher bool // more is better, as of a throughput
	Plot   bool // has a plot; the first metric always has
	Log    bool // on a logarithmic scale
	// Plain has no quartiles, for what hardly varies, such as allocations.
	Plain bool
}

// A Unit is what the samples are counted in, and how they are written.
type Unit int

const (
	Nanoseconds Unit = iota
	Bytes
	Count     // allocations and the like
	PerSecond // operations
	Share     // written as it is, with two digits: 0.95
)

// A Kind tells whose row it is.
type Kind int

const (
	Peer  Kind = iota // another library
	Ours              // Counterfoil
	Limit             // the least that anybody can do: the bare handler, the raw signature
)

// A Row is what was measured of one case.
type Row struct {
	Name    string // unique within the table
	Kind    Kind
	Samples map[string][]float64 // by the metric's name: one sample a round
	Group   string               // compared are rows of one group, such as those on one database
	Note    string               // a few words, below the table
}

// A Target is what we promise ourselves of a row: against another row, by the
// ratio of the same round's samples, or as such.
type Target struct {
	Row, Metric string
	Against     string  // the other row; empty: Limit is in the metric's unit
	Limit       float64 // the ratio to keep, or the figure
	AtLeast     bool    // more is better; otherwise at most
	Words       string  // what it means, such as "at most 1/24 of scs"
}

// Quartiles of the samples: the middle one is the median.
type Quartiles struct{ Low, Median, High float64 }

// Summary returns the quartiles of samples; of none, zeros.
func Summary(samples []float64) Quartiles {
	if len(samples) == 0 {
		return Quartiles{}
	}
	s := slices.Sorted(slices.Values(samples))
	at := func(q float64) float64 {
		x := q * float64(len(s)-1)
		i := int(x)
		if i+1 == len(s) {
			return s[i]
		}
		return s[i] + (x-float64(i))*(s[i+1]-s[i])
	}
	return Quartiles{at(.25), at(.5), at(.75)}
}

// Ratio returns the quartiles of a round's sample over the same round's of the
// other.
func Ratio(samples, others []float64) Quartiles {
	ratios := make([]float64, min(len(samples), len(others)))
	for i := range ratios {
		ratios[i] = samples[i] / others[i]
	}
	return Summary(ratios)
}

// Minus returns what a costs on top of b, round by round.
func Minus(a, b []float64) []float64 {
	difference := make([]float64, min(len(a), len(b)))
	for i := range difference {
		difference[i] = a[i] - b[i]
	}
	return difference
}

// Row finds a row by its name.
func (t *Table) Row(name string) (*Row, error) {
	for i := range t.Rows {
		if t.Rows[i].Name == name {
			return &t.Rows[i], nil
		}
	}
	return nil, fmt.Errorf("table %s has no row %q", t.ID, name)
}

// Figure is the median of a row by the table's first metric, as written.
func (t *Table) Figure(row string) (string, error) {
	r, err := t.Row(row)
	if err != nil {
		return "", err
	}
	m := t.Metrics[0]
	return m.Unit.Format(Summary(r.Samples[m.Name]).Median), nil
}

// Table finds a table by its section's ID and its own.
func (r *Report) Table(section, id string) (*Table, error) {
	for i := range r.Sections {
		for j := range r.Sections[i].Tables {
			if t := &r.Sections[i].Tables[j]; r.Sections[i].ID == section && t.ID == id {
				return t, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no table %s of %s: run all groups", id, section)
}

func (t *Table) metric(name string) (Metric, error) {
	for _, m := range t.Metrics {
		if m.Name == name {
			return m, nil
		}
	}
	return Metric{}, fmt.Errorf("table %s has no metric %q", t.ID, name)
}

// A Verdict is how a target came out.
type Verdict struct {
	Met    bool
	Figure string // what was measured, as written
}

// Judge tells whether a target was met.
func (t *Table) Judge(target Target) (Verdict, error) {
	row, err := t.Row(target.Row)
	if err != nil {
		return Verdict{}, err
	}
	m, err := t.metric(target.Metric)
	if err != nil {
		return Verdict{}, err
	}
	q, figure := Summary(row.Samples[m.Name]), ""
	if target.Against == "" {
		figure = m.Unit.Format(q.Median)
	} else {
		other, err := t.Row(target.Against)
		if err != nil {
			return Verdict{}, err
		}
		q = Ratio(row.Samples[m.Name], other.Samples[m.Name])
		figure = FormatRatio(q.Median)
	}
	if len(row.Samples[m.Name]) == 0 || math.IsNaN(q.Median) {
		return Verdict{}, fmt.Errorf("table %s, row %q has no samples of %q", t.ID, target.Row, m.Name)
	}
	met := q.Median <= target.Limit
	if target.AtLeast {
		met = q.Median >= target.Limit
	}
	return Verdict{met, figure}, nil
}

// Format writes a figure with three digits and its unit.
func (u Unit) Format(x float64) string {
	switch u {
	case Nanoseconds:
		return scaled(x, 1000, "ns", "µs", "ms", "s")
	case Bytes:
		return scaled(x, 1024, "B", "KiB", "MiB", "GiB")
	case PerSecond:
		return digits(x) + "/s"
	case Share:
		return strconv.FormatFloat(x, 'f', 2, 64)
	default:
		if x < 10 {
			return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64)
		}
		return digits(x)
	}
}

func scaled(x, step float64, units ...string) string {
	i := 0
	for math.Abs(x) >= step && i < len(units)-1 {
		x /= step
		i++
	}
	return digits(x) + " " + units[i]
}

// digits writes three significant digits, and thousands apart.
func digits(x float64) string {
	switch a := math.Abs(x); {
	case a >= 100:
		return thousands(strconv.FormatFloat(x, 'f', 0, 64))
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case x == 0:
		return "0"
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}

func thousands(s string) string {
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// FormatRatio writes a ratio: "1/24" for what is far less than one, else "1.06".
func FormatRatio(x float64) string {
	if x > 0 && x < 0.5 {
		return "1/" + digitsShort(1/x)
	}
	return digits(x)
}

func digitsShort(x float64) string {
	if x >= 10 {
		return thousands(strconv.FormatFloat(x, 'f', 0, 64))
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}
