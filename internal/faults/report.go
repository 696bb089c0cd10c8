package faults

import (
	"fmt"
	"io"
	"time"
)

// A Report is what `make faults` writes.
type Report struct {
	Date    time.Time
	Machine string
	Bound   time.Duration
	Stores  []StoreResults
	Mutants []MutantResult
}

// StoreResults are the results on one store.
type StoreResults struct {
	Store   string // with its version
	Results []Result
}

// A MutantResult is what the rules said of a node with a mistake in it.
type MutantResult struct {
	Mistake string
	Result
}

// Add adds the result of a round on a store, named with its version.
func (r *Report) Add(store string, x Result) {
	if n := len(r.Stores); n == 0 || r.Stores[n-1].Store != store {
		r.Stores = append(r.Stores, StoreResults{Store: store})
	}
	last := &r.Stores[len(r.Stores)-1]
	last.Results = append(last.Results, x)
}

// Write writes the report as a page of the documentation.
func (r Report) Write(w io.Writer) error {
	p := printer{w: w}
	sessions, ops, violations := 0, 0, 0
	for _, s := range r.Stores {
		for _, x := range s.Results {
			sessions, ops, violations = sessions+x.Sessions, ops+x.Ops, violations+len(x.Violations)
		}
	}
	p.printf(preamble, r.Date.UTC().Format(time.DateOnly), r.Machine, Nodes, Verifiers, r.Bound, sessions, ops, violations)
	for _, s := range r.Stores {
		p.printf("\n## %s\n\n%s", s.Store, tableHead)
		for _, x := range s.Results {
			p.printf("%s", x.row())
		}
	}
	p.printf("%s", mutantsHead)
	for _, m := range r.Mutants {
		p.printf("| %s | %s, %s | %d | %d |\n", m.Mistake, m.Database, m.Nemesis, m.Checks, len(m.Violations))
	}
	return p.err
}

const preamble = `# What holds when things break

Written by ` + "`make faults`" + ` on %s, on %s.
Run it again on your machine: it takes a quarter of an hour and needs PostgreSQL and Redis installed.

%d nodes and %d verifiers run as processes, each with a connection to its store or node that can be broken.
Clients log in, look, refresh and log out at random, while a nemesis strikes again and again. Every answer
is written down with its times and judged by the rules in the package comment of internal/faults. The bound
Δ is %v.

**%d sessions, %d operations, %d violations.**

What the nemeses do, each for a random time, a few bounds at most:

- *SIGSTOP* stops a process, mostly a node; the links are slow, so that answers wait for it when it goes on.
- *kill -9* kills a node, or the store with all its processes. *SIGSTOP of the store* stops it, with its
  connections open.
- *partition* breaks the link of one process. *Reset*: connections break, and new ones. *Hang*: nothing gets
  through, and everything does when it is over, late.
- *wall clock steps*: a process's wall clock is set by up to an hour, and back. The program is built with
  a time.Now that allows it; the system's clock stays as it is.
- *notifications lost*: connections that listen stay silent, and nobody is told.
- *restart of a verifier's hub*: the node that a verifier follows is stopped and started.
- *FLUSHALL* empties the store; *restore* brings it back to where it was a few seconds ago.

How to read the tables:

- *accepted*: checks that let somebody in. A system that refuses everybody breaks no rule either.
- *violations*: of any rule. None is allowed.
- *last accepted*: the longest time between a cut from the store and the call of the last check that the
  process accepted. It may not exceed Δ(1+ρ). *First refusal*: the longest time until it answered the first
  check with 503, or not at all.
- *refused falsely*: for how long, in total, processes did not accept a session that was live, and the
  longest of these spells. Five processes are asked 40 times a second each; a process that is killed or
  cut off can do no better than to refuse. On a busy machine a little of it is no fault's at all: see the first row.
- *back after*: the longest time between the end of a fault and the answer to the first check that was
  accepted again, asked since.
- *lost*: sessions that nobody ended and that went with the store's data. Nodes refuse them; that is no
  violation where the data is gone. In these rows nobody is logged out by his name: that can't find a session
  that the store has lost, and verifiers, who hear of logouts and not of losses, accept its tokens until
  they expire. After a restore, end everybody's sessions.
`

const tableHead = `| nemesis | strikes | sessions | operations | checks | accepted | violations | last accepted | first refusal | refused falsely, longest | back after | lost |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
`

func (r Result) row() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | **%d** | %s | %s | %s, %s | %s | %d |\n",
		r.Nemesis, r.Faults, r.Sessions, r.Ops, r.Checks, r.Accepted, len(r.Violations),
		milliseconds(r.Closed), milliseconds(r.Refused), seconds(r.False), seconds(r.LongestFalse), milliseconds(r.Recovery), r.Lost)
}

const mutantsHead = `
## Would it be seen?

The same nodes with a mistake in them, built for this run and struck by one nemesis:

| mistake | where | checks | violations |
|---|---|--:|--:|
`

func milliseconds(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// A printer remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
