package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A Round is one nemesis at work on one cluster.
type Round struct {
	Nemesis  Nemesis
	Database Database
	Program  string
	Dir      string
	Bound    time.Duration
	Lasts    time.Duration // for so long the nemesis strikes
	Rate     int           // clients a second
	Seed     uint64
}

// recovery is how long it may take after the last blow until everybody accepts
// again. No rule says how long; the report does.
const recovery = time.Minute

// Run runs the round and judges its history.
//
// Its error says that something could not be run, or that a process did not
// recover; what the history shows counts all the same.
func (r Round) Run(ctx context.Context) (result Result, err error) {
	c, err := NewCluster(Setting{Program: r.Program, Store: r.Database.URL, Bound: r.Bound, Dir: r.Dir})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	h := newHistory()
	terms := Terms{Bound: r.Bound, LosesSessions: r.Nemesis.LosesSessions}
	w := newWorkload(h, c, terms, r.Seed)
	probes, err := r.drive(ctx, w)
	w.sweep()
	return r.result(w, probes), err
}

// drive lets the clients and the nemesis loose, and returns when all have gone.
func (r Round) drive(ctx context.Context, w *workload) (probes []*probe, err error) {
	ctx, stop := context.WithCancel(ctx)
	var driving sync.WaitGroup
	defer driving.Wait()
	defer stop()
	for at := range w.c.Processes {
		p := newProbe(w, at)
		probes = append(probes, p)
		driving.Go(func() { p.run(ctx) })
	}
	clients, noMore := context.WithCancel(ctx)
	defer noMore()
	driving.Go(func() { w.run(clients, r.Rate) })
	for _, l := range w.c.Links {
		l.Set(r.Nemesis.Links)
	}
	err = r.strike(ctx, w)
	for _, l := range w.c.Links {
		l.Set(Open)
	}
	return probes, errors.Join(err, recovered(ctx, w, probes))
}

// strike strikes until the round is over.
func (r Round) strike(ctx context.Context, w *workload) error {
	b := &blow{ctx: ctx, rng: rand.New(rand.NewPCG(r.Seed, 1<<33)), h: w.h, c: w.c, db: r.Database, bound: r.Bound}
	b.lasts(1, 2)
	for w.h.now() < r.Lasts && ctx.Err() == nil {
		if r.Nemesis.Strike != nil {
			if err := r.Nemesis.Strike(b); err != nil {
				return err
			}
		}
		b.lasts(0.5, 1.5)
	}
	return ctx.Err()
}

// recovered waits until every process accepts again.
func recovered(ctx context.Context, w *workload, probes []*probe) error {
	over := w.h.now()
	for _, p := range probes {
		for {
			if _, ok := p.accepted(over); ok {
				break
			}
			if w.h.now() > over+recovery {
				process := w.c.Processes[p.at]
				return fmt.Errorf("faults: %s accepts nothing %v after the last blow\n%s", process.Name, recovery, process.lastWords())
			}
			sleep(ctx, probeInterval)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// result judges the history and measures it.
func (r Round) result(w *workload, probes []*probe) Result {
	out := Result{
		Database: r.Database.Name, Nemesis: r.Nemesis.Name, Seed: r.Seed,
		Violations: w.h.Violations(w.terms),
	}
	w.h.count(&out.Numbers)
	out.Closed, out.Refused = w.h.closing()
	for _, p := range probes {
		total, longest := falseRefusals(p.answers)
		out.False += total
		out.LongestFalse = max(out.LongestFalse, longest)
		for _, f := range w.h.faults {
			if at, ok := p.accepted(f.End); ok && f.hits(p.at) {
				out.Recovery = max(out.Recovery, at-f.End)
			}
		}
	}
	return out
}
