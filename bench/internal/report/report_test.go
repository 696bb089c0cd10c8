package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// example has a row of ours, of a peer and of a limit, with three rounds each.
func example() Table {
	row := func(name string, kind Kind, ns, allocations float64) Row {
		return Row{Name: name, Kind: kind, Samples: map[string][]float64{"CPU": {ns, 2 * ns, 3 * ns}, "allocations": {allocations}}}
	}
	return Table{
		ID: "t", Title: "An <operation>",
		Metrics:  []Metric{{Name: "CPU", Unit: Nanoseconds}, {Name: "allocations", Unit: Count, Plain: true}},
		Rows:     []Row{row("bare", Limit, 10, 0), row("ours", Ours, 1000, 5), row("peer", Peer, 20_000, 4)},
		Baseline: "peer",
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		x    float64
		want string
	}{
		{Nanoseconds, 0, "0 ns"},
		{Nanoseconds, 0.5, "0.50 ns"},
		{Nanoseconds, 12.345, "12.3 ns"},
		{Nanoseconds, 999.4, "999 ns"},
		{Nanoseconds, 1234, "1.23 µs"},
		{Nanoseconds, 2.5e9, "2.50 s"},
		{Nanoseconds, -421, "-421 ns"},
		{Bytes, 260, "260 B"},
		{Bytes, 3 << 20, "3.00 MiB"},
		{PerSecond, 1234567, "1,234,567/s"},
		{Count, 3, "3"},
		{Count, 2.504, "2.5"},
		{Count, 1_000_000, "1,000,000"},
		{Share, 0.951, "0.95"},
	} {
		if got := c.unit.Format(c.x); got != c.want {
			t.Errorf("%v: %q, want %q", c.x, got, c.want)
		}
	}
	for x, want := range map[float64]string{1. / 24: "1/24", 0.2: "1/5.0", 0.97: "0.97", 1.06: "1.06", 1. / 1412: "1/1,412"} {
		if got := FormatRatio(x); got != want {
			t.Errorf("the ratio %v: %q, want %q", x, got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	if got, want := Summary([]float64{5, 1, 2, 4, 3}), (Quartiles{2, 3, 4}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := Summary([]float64{1, 2}), (Quartiles{1.25, 1.5, 1.75}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	// By round: a machine that is twice as slow in one of them changes nothing.
	if got, want := Ratio([]float64{1, 2, 1}, []float64{10, 20, 10}), (Quartiles{.1, .1, .1}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestJudge(t *testing.T) {
	table := example()
	for _, c := range []struct {
		why    string
		target Target
		met    bool
		figure string
	}{
		{"a ratio that is kept", Target{Row: "ours", Metric: "CPU", Against: "peer", Limit: 1. / 15}, true, "1/20"},
		{"a ratio that is not", Target{Row: "ours", Metric: "CPU", Against: "peer", Limit: 1. / 24}, false, "1/20"},
		{"a figure that is kept", Target{Row: "ours", Metric: "allocations", Limit: 5}, true, "5"},
		{"a figure that is not", Target{Row: "ours", Metric: "CPU", Limit: 400}, false, "2.00 µs"},
		{"more is better", Target{Row: "peer", Metric: "CPU", Against: "ours", Limit: 3, AtLeast: true}, true, "20.0"},
		{"more is better, and it is less", Target{Row: "peer", Metric: "CPU", Against: "ours", Limit: 30, AtLeast: true}, false, "20.0"},
	} {
		v, err := table.Judge(c.target)
		if err != nil || v.Met != c.met || v.Figure != c.figure {
			t.Errorf("%s: %+v, %v", c.why, v, err)
		}
	}
	for _, target := range []Target{{Row: "nobody", Metric: "CPU"}, {Row: "ours", Metric: "nothing"}, {Row: "ours", Metric: "CPU", Against: "nobody"}} {
		if _, err := table.Judge(target); err == nil {
			t.Errorf("%+v is judged", target)
		}
	}
}

// Where a peer is ahead is found out by the program, in each metric; the limit
// is no peer, and one group is not compared with another.
func TestLosses(t *testing.T) {
	table := example()
	losses := table.losses()
	if len(losses) != 1 || losses[0] != (loss{"allocations", "peer", "4", "ours: 5", "1.25"}) {
		t.Errorf("got %+v", losses)
	}
	table.Metrics[0].Higher = true
	if losses := table.losses(); len(losses) != 2 || losses[0].what != "CPU" {
		t.Errorf("where more is better: %+v", losses)
	}
	table.Rows[2].Group = "another"
	if losses := table.losses(); len(losses) != 0 {
		t.Errorf("of another group: %+v", losses)
	}
}

func TestMarkdown(t *testing.T) {
	table := example()
	table.Targets = []Target{
		{Row: "ours", Metric: "CPU", Against: "peer", Limit: 1. / 10, Words: "at most 1/10 of peer"},
		{Row: "ours", Metric: "allocations", Limit: 3, Words: "at most 3"},
	}
	r := Report{Intro: []string{"How."}, Facts: []Fact{{"Go", "go1.26"}}, Sections: []Section{{ID: "s", Title: "S", Tables: []Table{table}}}}
	var b strings.Builder
	if err := r.Markdown(&b, "img"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"How.\n", "| Go | go1.26 |\n", "](img/performance-s-t.svg)",
		"| **ours** | 2.00 µs | 1.50 µs – 2.50 µs | 5 | 1/20 |\n",
		"| *bare* | 20.0 ns | 15.0 ns – 25.0 ns | 0 | 1/2,000 |\n",
		"| ours, CPU: at most 1/10 of peer | 1/20 | met |\n",
		"| ours, allocations: at most 3 | 5 | **missed** |\n",
		"## Where we lose\n", "| S: An <operation> | allocations | peer | 4 | ours: 5 | 1.25 |\n",
		"| S: An <operation> | ours | allocations: at most 3 | 5 |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, b.String())
		}
	}
}

// A plot is well-formed, and says in words what it shows.
func TestPlots(t *testing.T) {
	table := example()
	table.Metrics[1].Plot, table.Metrics[1].Log = true, true
	table.Targets = []Target{{Row: "ours", Metric: "CPU", Limit: 1500}}
	r := Report{Sections: []Section{{ID: "s", Title: "S", Tables: []Table{table}}}}
	plots := map[string]*file{}
	if err := r.Plots(func(name string) (io.WriteCloser, error) { plots[name] = &file{}; return plots[name], nil }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"performance-s-t.svg":             "An <operation>, CPU: bare 20.0 ns, ours 2.00 µs, peer 40.0 µs",
		"performance-s-t-allocations.svg": "An <operation>, allocations: bare 0, ours 5, peer 4",
	} {
		if plots[name] == nil {
			t.Errorf("there is no %s", name)
			continue
		}
		root := struct {
			Words string     `xml:"aria-label,attr"`
			Bars  []struct{} `xml:"rect"`
		}{}
		if err := xml.Unmarshal([]byte(plots[name].String()), &root); err != nil || root.Words != want || len(root.Bars) != 3 {
			t.Errorf("%s: %d bars, %q (%v)", name, len(root.Bars), root.Words, err)
		}
	}
	failed := errors.New("the disk is full")
	if err := r.Plots(func(string) (io.WriteCloser, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

type file struct{ strings.Builder }

func (*file) Close() error { return nil }
