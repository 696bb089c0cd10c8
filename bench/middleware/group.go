package middleware

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/env"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/internal/web"
	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

const (
	oursInMemory = "Counterfoil, memory"
	scsInMemory  = "scs, memory"
)

// inMemory are the libraries with their sessions in memory or in the cookie.
var inMemory = []struct {
	name string
	open func(tb testing.TB, name string) app
}{
	{"bare handler", func(_ testing.TB, name string) app { return newBare(name) }},
	{oursInMemory, func(tb testing.TB, name string) app {
		return newCounterfoil(tb, name, ours(tb, memory.New(memory.Config{}), nil))
	}},
	{scsInMemory, func(_ testing.TB, name string) app { return newSCS(name, nil) }},
	{"gorilla/sessions, cookie", func(_ testing.TB, name string) app { return newGorilla(name) }},
	{"fiber session, memory", newFiber},
	{"gin-contrib/sessions, memory", func(_ testing.TB, name string) app { return newGinInMemory(name) }},
	{"gin-contrib/sessions, cookie", func(_ testing.TB, name string) app { return newGinCookie(name) }},
}

// Memory compares the libraries with their sessions in memory or in the cookie.
func Memory(ctx context.Context, p measure.Plan) (report.Section, error) {
	s := report.Section{
		ID:    "middleware",
		Title: "A request, sessions in memory",
		Text: []string{
			"What middleware and handler cost for a request of somebody who is logged in. Every library gets an application with the same routes, written as its documents show, and the same requests; the session holds a user id, the time of the login and a note of 200 bytes. There is no socket: the handler is called, and its answer thrown away. For fiber that is fasthttp's request in place of one of net/http. The bare handler shows what the measuring itself takes.",
			"Each library has a process to itself, so that its memory costs nobody else anything. Where it keeps the sessions on the server, ten thousand others are logged in, as on a site that is in use: while the heap is next to empty, the garbage collector runs every few thousand requests.",
			"Libraries with a cookie store keep the session in the browser. They need no memory on the server and can log nobody out. scs, fiber and gin decode the whole session with encoding/gob for every request that touches it. scs has no idle time-out, its default, which spares it a write; ours has one.",
		},
	}
	err := env.Use(ctx, func(tb testing.TB) error {
		var libraries []loner
		for _, l := range inMemory {
			libraries = append(libraries, startLoner(tb, l.name))
		}
		for _, t := range []struct {
			path, title string
			limit       float64
			words       string
		}{
			{identity, "Who asks", 1. / 24, "at most 1/24 of scs"},
			{read, "Who asks, and one value is read", 1. / 15, "at most 1/15 of scs"},
			{change, "Who asks, and one value is changed", 1. / 10, "at most 1/10 of scs"},
		} {
			table, err := compareLoners(ctx, p, libraries, t.path)
			if err != nil {
				return err
			}
			table.Title, table.Baseline = t.title, scsInMemory
			table.Targets = []report.Target{{Row: oursInMemory, Metric: perRequest, Against: scsInMemory, Limit: t.limit, Words: t.words}}
			if t.path == identity {
				table.Targets = append(table.Targets, report.Target{Row: oursInMemory, Metric: measure.AllocsMetric.Name, Limit: 3, Words: "at most 3 allocations"})
			}
			s.Tables = append(s.Tables, table)
		}
		return nil
	})
	return s, err
}

// clients are how many send requests at a time where there is a database, so
// that its latency does not count, and groups form where a store makes some.
const clients = 64

// Databases compares scs and ours with Redis, PostgreSQL and SQLite behind.
func Databases(ctx context.Context, p measure.Plan) (report.Section, error) {
	s := report.Section{
		ID:    "databases",
		Title: "A request, sessions in a database",
		Text: []string{
			fmt.Sprintf("The same requests of %d clients at a time, each with a session of his own, with the sessions in Redis, PostgreSQL or SQLite on the same machine. CPU is that of the process with the handlers, without the database server's; requests per second have both. All are set so that no acknowledged write is lost: Redis with appendfsync always, PostgreSQL as it comes, both SQLite files with a write-ahead log and synchronous=FULL.", clients),
			"scs asks the database at every request. Counterfoil knows from a feed of ended sessions, proved to be fresh within its bound, that a session still lives, and asks for its values when the handler wants one: those are never older than the database.",
		},
	}
	err := env.Use(ctx, func(tb testing.TB) error {
		apps := on("memory", newCounterfoil(tb, oursInMemory, ours[store.Store](tb, memory.New(memory.Config{}), nil)))
		apps = append(apps, onRedis(tb, servers.StartRedis(tb, nil).URL())...)
		apps = append(apps, onPostgres(tb, servers.StartPostgres(tb, nil).Database())...)
		apps = append(apps, onSQLite(tb, tb.TempDir())...)
		for _, t := range []struct{ path, title string }{
			{identity, "Who asks"},
			{read, "Who asks, and one value is read"},
			{change, "Who asks, and one value is changed"},
		} {
			table, err := compare(tb, p, apps, t.path)
			if err != nil {
				return err
			}
			table.Title, table.Targets = t.title, databaseTargets(t.path)
			s.Tables = append(s.Tables, table)
		}
		return nil
	})
	return s, err
}

func databaseTargets(path string) (targets []report.Target) {
	for _, on := range []struct{ ours, scs string }{
		{"Counterfoil, Redis", "scs, goredisstore"},
		{"Counterfoil, PostgreSQL", "scs, pgxstore"},
	} {
		switch path {
		case identity:
			targets = append(targets, report.Target{Row: on.ours, Metric: perRequest, Against: oursInMemory, Limit: 1.1, Words: "within 10 % of memory"})
		case read:
			targets = append(targets, report.Target{Row: on.ours, Metric: perRequest, Against: on.scs, Limit: 1, Words: "not slower than " + on.scs})
		}
	}
	return targets
}

const (
	perRequest = "CPU per request"
	perSecond  = "requests"
)

// compareLoners measures one route of all libraries that have it.
func compareLoners(ctx context.Context, p measure.Plan, libraries []loner, path string) (report.Table, error) {
	var c comparison
	for _, l := range libraries {
		if slices.Contains(l.Paths, path) {
			c.add(l.measured(path), l.Kind, "")
		}
	}
	return c.run(ctx, p, path)
}

// compare measures one route of all applications, in this process.
func compare(tb testing.TB, p measure.Plan, apps []app, path string) (report.Table, error) {
	var c comparison
	for _, a := range apps {
		c.add(measure.Case{Name: a.name, Run: requests(tb, a, path, clients)}, a.kind, a.database)
	}
	t, err := c.run(tb.Context(), p, path)
	t.Metrics[0].Log = true
	t.Metrics = append(t.Metrics, report.Metric{Name: perSecond, Unit: report.PerSecond, Higher: true})
	return t, err
}

// A comparison is the cases of a table, and whose rows they are.
type comparison struct {
	cases  []measure.Case
	kinds  []report.Kind
	groups []string
}

func (c *comparison) add(m measure.Case, kind report.Kind, group string) {
	c.cases, c.kinds, c.groups = append(c.cases, m), append(c.kinds, kind), append(c.groups, group)
}

func (c *comparison) run(ctx context.Context, p measure.Plan, path string) (report.Table, error) {
	table := report.Table{
		ID:      path[1:],
		Metrics: []report.Metric{{Name: perRequest, Unit: report.Nanoseconds}, measure.AllocsMetric},
	}
	p.Logf("%s: %d libraries", path, len(c.cases))
	results, err := measure.Run(ctx, p, c.cases)
	if err != nil {
		return table, fmt.Errorf("%s: %w", path, err)
	}
	for i, r := range results {
		row := r.Row(c.kinds[i])
		row.Group = c.groups[i]
		row.Samples[perRequest] = r.CPU
		for _, ns := range r.Wall {
			row.Samples[perSecond] = append(row.Samples[perSecond], 1e9/ns)
		}
		table.Rows = append(table.Rows, row)
	}
	return table, nil
}

// requests returns a function that has the clients send n requests.
func requests(tb testing.TB, a app, path string, clients int) func(n int) error {
	senders := make([]func() error, clients)
	for i := range senders {
		b := &browser{app: a, cookies: map[string]string{"session": "x"}}
		if a.kind != report.Limit {
			b = newBrowser(tb, a)
		}
		senders[i] = b.sender(path)
	}
	if clients == 1 {
		return func(n int) error { return web.Repeat(senders[0], n) }
	}
	return func(n int) error {
		var wait sync.WaitGroup
		errs := make([]error, clients)
		for i, send := range senders {
			wait.Go(func() { errs[i] = web.Repeat(send, (n+i)/clients) })
		}
		wait.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
}
