package sockets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// A check is a way to ask the server, quiet and with the crowd.
type check struct {
	name   string
	target target
	load   load
	quiet  map[string][]float64
	crowd  map[string][]float64
}

// RunLogins measures checks on the server while 200 clients try to log in: they
// must not slow by more than a fifth.
func RunLogins(ctx context.Context, plan measure.Plan) (section report.Section, err error) {
	dir, err := os.MkdirTemp("", "counterfoil-bench")
	if err != nil {
		return section, err
	}
	defer os.RemoveAll(dir)
	p, err := startProgram(ctx, dir)
	if err != nil {
		return section, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	var checks []*check
	for _, l := range []load{saturation, moderate} {
		checks = append(checks,
			&check{"cookie", p.cookie, l, map[string][]float64{}, map[string][]float64{}},
			&check{"JWT", p.bearer, l, map[string][]float64{}, map[string][]float64{}})
	}
	var logins []tally
	rounds, d := pace(plan)
	for round := range rounds {
		plan.Logf("sockets, logins: round %d of %d", round+1, rounds)
		if err := p.round(ctx, checks, round, d, false); err != nil {
			return section, err
		}
		c, err := startCrowd(p.url)
		if err != nil {
			return section, err
		}
		time.Sleep(time.Second) // until the queue is full
		err = p.round(ctx, checks, round, d, true)
		t, endErr := c.end()
		if err := errors.Join(err, endErr); err != nil {
			return section, err
		}
		plan.Logf("%+v", t)
		logins = append(logins, t)
	}
	return p.loginSheet(ctx, checks, logins)
}

// round measures each check once.
func (p *program) round(ctx context.Context, checks []*check, round int, d time.Duration, crowded bool) error {
	for k := range checks {
		c := checks[(k+round)%len(checks)]
		one := contestant{name: c.name, process: p.process, target: c.target}
		r, err := one.measure(ctx, c.load, d)
		if err != nil {
			return err
		}
		if crowded {
			r.into(c.crowd)
		} else {
			r.into(c.quiet)
		}
	}
	return nil
}

func (p *program) loginSheet(ctx context.Context, checks []*check, logins []tally) (report.Section, error) {
	s := report.Section{ID: "logins", Title: "Checks while 200 clients try to log in"}
	for _, l := range []load{saturation, moderate} {
		t := report.Table{ID: "saturation", Title: "As fast as the server answers", Metrics: []report.Metric{
			{Name: rateName, Unit: report.PerSecond, Higher: true},
			{Name: p50Name, Unit: report.Nanoseconds},
			{Name: p99Name, Unit: report.Nanoseconds},
		}}
		if l == moderate {
			t.ID, t.Title = "moderate", "At a moderate rate"
			t.Metrics[0], t.Metrics[1] = t.Metrics[1], t.Metrics[0]
		}
		for _, c := range checks {
			if c.load != l {
				continue
			}
			quiet, crowded := c.name+", quiet", c.name+", 200 logins"
			t.Rows = append(t.Rows,
				report.Row{Name: quiet, Kind: report.Limit, Samples: c.quiet},
				report.Row{Name: crowded, Kind: report.Ours, Samples: c.crowd})
			target := report.Target{Row: crowded, Metric: rateName, Against: quiet, Limit: .8, AtLeast: true, Words: "at least 0.8 of the quiet server's"}
			if l == moderate {
				target = report.Target{Row: crowded, Metric: p50Name, Against: quiet, Limit: 1.2, Words: "at most 1.2 of the quiet server's"}
			}
			t.Targets = append(t.Targets, target)
		}
		s.Tables = append(s.Tables, t)
	}
	rates, longest := make([]float64, len(logins)), 0.
	for i, t := range logins {
		if t.Failed > 0 {
			return s, fmt.Errorf("%d logins failed in a way that is not provided for", t.Failed)
		}
		rates[i], longest = t.rate(), max(longest, t.Max)
	}
	s.Text = append(s.Text, fmt.Sprintf("%d clients try to log in, half of them with the right password, at the full cost of a hash. Meanwhile %.0f passwords are checked a second; the longest wait was %.1f s.",
		clients, report.Summary(rates).Median, longest))
	return s, nil
}
