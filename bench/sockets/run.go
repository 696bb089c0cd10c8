package sockets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// A contestant is a server that runs.
type contestant struct {
	name string
	kind report.Kind
	note string
	*process
	target target
	taken  map[string][]float64
}

const (
	rateName = "requests"
	p50Name  = "p50"
	p99Name  = "p99"
	cpuName  = "CPU per request"
)

// Run measures what the servers make of the same request.
func Run(ctx context.Context, plan measure.Plan) (section report.Section, err error) {
	dir, err := os.MkdirTemp("", "counterfoil-bench")
	if err != nil {
		return section, err
	}
	defer os.RemoveAll(dir)
	all, err := startAll(ctx, dir)
	defer func() {
		err = errors.Join(err, stopAll(all))
	}()
	if err != nil {
		return section, err
	}
	rounds, d := pace(plan)
	for round := -1; round < rounds; round++ { // the first is a warm-up
		plan.Logf("sockets: round %d of %d", round+1, rounds)
		for k := range all {
			c := all[(k+max(round, 0))%len(all)]
			r, err := c.measure(ctx, saturation, d)
			if err != nil {
				return section, err
			}
			if round >= 0 {
				r.into(c.taken)
			}
		}
	}
	return sheet(all), nil
}

// pace is how often and for how long: short, so that what varies with the time
// of day varies for all.
func pace(plan measure.Plan) (rounds int, d time.Duration) {
	if plan.Quick {
		return plan.Rounds, time.Second
	}
	return min(plan.Rounds, 7), 3 * time.Second
}

// startAll starts every server and sees that it does its work.
func startAll(ctx context.Context, dir string) (all []*contestant, err error) {
	for _, s := range servers {
		c := &contestant{name: s.name, kind: s.kind, taken: map[string][]float64{}}
		if c.process, err = startChild(s.name, &c.target); err != nil {
			return all, err
		}
		all = append(all, c)
		if err := c.target.works(ctx, userID, s.kind != report.Limit); err != nil {
			return all, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	p, err := startProgram(ctx, dir)
	if err != nil {
		return all, err
	}
	const note = "the whole program, which answers with what it knows of the session, as JSON, and with all its security headers"
	all = append(all,
		&contestant{"counterfoil serve, cookie", report.Ours, note, p.process, p.cookie, map[string][]float64{}},
		&contestant{"counterfoil serve, JWT", report.Ours, "the same", p.process, p.bearer, map[string][]float64{}})
	for _, c := range all[len(all)-2:] {
		if err := c.target.works(ctx, userName(0), true); err != nil {
			return all, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return all, nil
}

// stopAll stops the processes, of which two may be one.
func stopAll(all []*contestant) (err error) {
	stopped := map[*process]bool{}
	for _, c := range all {
		if !stopped[c.process] {
			err = errors.Join(err, c.Stop())
		}
		stopped[c.process] = true
	}
	return err
}

// works reports whether the user is found, and without the credential nobody.
func (t target) works(ctx context.Context, user string, guarded bool) error {
	status, body, err := t.get(ctx)
	if err != nil {
		return err
	}
	if status != http.StatusOK || !strings.Contains(body, user) {
		return fmt.Errorf("the answer is %d %q, want 200 and %s", status, body, user)
	}
	t.Header = ""
	status, body, err = t.get(ctx)
	if err == nil && guarded && (status == http.StatusOK || strings.Contains(body, user)) {
		err = fmt.Errorf("without a credential the answer is %d %q", status, body)
	}
	return err
}

func (t target) get(ctx context.Context) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL, nil)
	if err != nil {
		return 0, "", err
	}
	if name, value, ok := strings.Cut(t.Header, ": "); ok {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, string(text), err
}

// measure asks a server for that long.
func (c *contestant) measure(ctx context.Context, l load, d time.Duration) (result, error) {
	before, err := c.cpu()
	if err != nil {
		return result{}, err
	}
	r, err := ask(ctx, c.target, l, d)
	if err != nil {
		return r, fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := c.cpu()
	r.cpu = after - before
	return r, err
}

// into adds a round's samples.
func (r *result) into(samples map[string][]float64) {
	add := func(name string, x float64) { samples[name] = append(samples[name], x) }
	add(rateName, r.rate())
	add(p50Name, r.P50*1e3)
	add(p99Name, r.P99*1e3)
	add(cpuName, float64(r.cpu)/float64(r.Requests))
}

func sheet(all []*contestant) report.Section {
	t := report.Table{
		ID:       "requests",
		Title:    "A request over a socket",
		Baseline: bareCookieName,
		Metrics: []report.Metric{
			{Name: rateName, Unit: report.PerSecond, Higher: true},
			{Name: p50Name, Unit: report.Nanoseconds},
			{Name: p99Name, Unit: report.Nanoseconds},
			{Name: cpuName, Unit: report.Nanoseconds},
		},
	}
	for _, c := range all {
		t.Rows = append(t.Rows, report.Row{Name: c.name, Kind: c.kind, Samples: c.taken, Note: c.note})
	}
	for _, s := range servers {
		if s.kind != report.Ours {
			continue
		}
		against := bareTokenName
		if strings.HasSuffix(s.name, "cookie") {
			against = bareCookieName
		}
		t.Targets = append(t.Targets, report.Target{
			Row: s.name, Metric: rateName, Against: against, Limit: .95, AtLeast: true,
			Words: "at least 0.95 of the " + against,
		})
	}
	return report.Section{
		ID:    "sockets",
		Title: "End to end",
		Text: []string{
			fmt.Sprintf("Each server is a process of its own, and wrk asks it over loopback on %d connections that are kept open, as fast as it answers; both share the processors. ", saturation.connections) +
				"Where sessions are kept, there are ten thousand others, and the bare handlers have the same in memory. " +
				"The answer is the user's id. The bare handlers are sent a cookie or a token, too, and look at nothing; one of them answers with Cache-Control: no-store, as every application has to that answers for one user, and as the library does. CPU per request is the server's own, the kernel's part included.",
		},
		Tables: []report.Table{t},
	}
}
