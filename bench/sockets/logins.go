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
	defer func() { err = errors.Join(err, p.Stop()) }()
	var checks []*check
	for _, l := range []load{saturation, moderate} {
		checks = append(checks,
			&check{"cookie", p.cookie, l, map[string][]float64{}, map[string][]float64{}},
			&check{"JWT", p.bearer, l, map[string][]float64{}, map[string][]float64{}})
	}
	var alone, logins []tally
	rounds, d := pace(plan)
	for round := range rounds {
		plan.Logf("sockets, logins: round %d of %d", round+1, rounds)
		t, err := p.crowdAlone(d)
		if err != nil {
			return section, err
		}
		plan.Logf("alone: %v", t)
		alone = append(alone, t)
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
		plan.Logf("beside checks: %v", t)
		logins = append(logins, t)
	}
	return loginSheet(checks, alone, logins)
}

// crowdAlone says how many log in where nobody asks for anything else.
func (p *program) crowdAlone(d time.Duration) (tally, error) {
	time.Sleep(2 * time.Second) // until the server takes it that nobody does
	c, err := startCrowd(p.url)
	if err != nil {
		return tally{}, err
	}
	time.Sleep(d)
	return c.end()
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

func loginSheet(checks []*check, alone, logins []tally) (report.Section, error) {
	s := report.Section{ID: "logins", Title: "Checks while 200 clients try to log in", Tables: []report.Table{
		slowed("saturation", "As fast as the server answers", saturation, checks, report.Target{
			Metric: rateName, Limit: .8, AtLeast: true, Words: "at least 0.8 of the quiet server's",
		}),
		slowed("moderate", "At a moderate rate", moderate, checks, report.Target{
			Metric: p50Name, Limit: 1.2, Words: "at most 1.2 of the quiet server's",
		}),
	}}
	for _, t := range append(alone, logins...) {
		if t.Failed > 0 {
			return s, fmt.Errorf("%d logins failed in a way that is not provided for", t.Failed)
		}
	}
	s.Text = append(s.Text, fmt.Sprintf("%d clients try to log in through the API, half of them with the right password, at the full cost of a hash, each again as soon as it has its answer. "+
		"Where nobody asks for anything else, %s passwords are checked a second; while checks are made, %s.", clients, rates(alone), rates(logins)))
	return s, nil
}

// rates is the median, and the spread.
func rates(tallies []tally) string {
	samples := make([]float64, len(tallies))
	for i, t := range tallies {
		samples[i] = t.rate()
	}
	q := report.Summary(samples)
	return fmt.Sprintf("%.0f (%.0f – %.0f)", q.Median, q.Low, q.High)
}

// slowed compares each check under one load with itself. The target's metric
// comes first.
func slowed(id, title string, l load, checks []*check, target report.Target) report.Table {
	t := report.Table{ID: id, Title: title, Metrics: []report.Metric{
		{Name: rateName, Unit: report.PerSecond, Higher: true},
		{Name: p50Name, Unit: report.Nanoseconds},
		{Name: p99Name, Unit: report.Nanoseconds},
	}}
	if target.Metric == p50Name {
		t.Metrics[0], t.Metrics[1] = t.Metrics[1], t.Metrics[0]
	}
	for _, c := range checks {
		if c.load != l {
			continue
		}
		target.Row, target.Against = c.name+", 200 logins", c.name+", quiet"
		t.Rows = append(t.Rows,
			report.Row{Name: target.Against, Kind: report.Limit, Samples: c.quiet},
			report.Row{Name: target.Row, Kind: report.Ours, Samples: c.crowd})
		t.Targets = append(t.Targets, target)
	}
	return t
}
