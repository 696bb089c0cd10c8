// Package latency measures how long a session is still accepted after its
// logout has returned: on the node that served it, on another, and by a
// verifier.
//
// Call [Measure], and print the [Report].
//
// The clock of each measure starts when the logout has returned. Meanwhile the
// session's token is checked on the other node, and by a verifier, again and
// again. The measure is when the first check that was refused began, or zero
// where none was accepted that began after the return. So it is what the
// guarantee speaks of, seen from outside, and includes everything: the commit's
// way to the other node, its view, and the check itself.
package latency

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/verify"
)

// Config says what is measured. Open is required.
type Config struct {
	// Open opens the store, once for each node.
	Open func(context.Context) (store.Store, error)
	// Nodes and Verifiers follow it. Zero: 3 and 100.
	Nodes, Verifiers int
	// Logouts are made in each run. Zero: 2,000.
	Logouts int
	// Bound is Δ. Zero: 2 seconds.
	Bound time.Duration
	// Load is how many other sessions come and go in a second, in the run under
	// load. Zero: 200.
	Load int
	// Log is told what goes wrong. Nil: slog.Default().
	Log *slog.Logger
	// Progress is told what is being done. Nil: nobody.
	Progress func(string)
}

func (c Config) withDefaults() Config {
	set := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	set(&c.Nodes, 3)
	set(&c.Verifiers, 100)
	set(&c.Logouts, 2000)
	set(&c.Load, 200)
	if c.Bound == 0 {
		c.Bound = 2 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// A Report is the outcome.
type Report struct {
	Nodes, Verifiers, Load int
	Bound                  time.Duration
	Series                 []Series
}

// A Series is one row: where, in which run, and every measure.
type Series struct {
	Where string // "same node", "another node", "verifier", "everywhere returns"
	Load  bool
	Sample
}

// Measure runs the nodes and the verifiers in this process, and measures idle
// and under load.
func Measure(ctx context.Context, c Config) (_ *Report, err error) {
	c = c.withDefaults()
	if c.Nodes < 2 || c.Verifiers < 1 {
		return nil, errors.New("latency: it takes two nodes and a verifier")
	}
	s, err := startSite(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &Report{Nodes: c.Nodes, Verifiers: c.Verifiers, Load: c.Load, Bound: c.Bound}
	for _, load := range []bool{false, true} {
		series, err := s.run(ctx, load)
		if err != nil {
			return nil, err
		}
		r.Series = append(r.Series, series...)
	}
	return r, nil
}

// run makes the logouts, and measures each in every place.
func (s *site) run(ctx context.Context, load bool) ([]Series, error) {
	what := "idle"
	if load {
		what = "under load"
		var stop func()
		ctx, stop = s.underLoad(ctx)
		defer stop()
	}
	s.config.Progress(fmt.Sprintf("%s: %d logouts, %d nodes, %d verifiers", what, s.config.Logouts, s.config.Nodes, s.config.Verifiers))
	series := []Series{{Where: "same node", Load: load}, {Where: "another node", Load: load}, {Where: "verifier", Load: load}}
	for i := range s.config.Logouts {
		delays, err := s.logout(ctx, i)
		if err != nil {
			return nil, err
		}
		for j, d := range delays {
			series[j].add(d)
		}
	}
	everywhere := Series{Where: "everywhere returns", Load: load}
	for i := range max(s.config.Logouts/10, 1) {
		d, err := s.everywhere(ctx, i)
		if err != nil {
			return nil, err
		}
		everywhere.add(d)
	}
	return append(series, everywhere), nil
}

// logout ends a session on the first node and returns for how long it was
// accepted there, on another node, and by a verifier.
func (s *site) logout(ctx context.Context, i int) (delays [3]time.Duration, err error) {
	token, err := s.nodes[0].login(ctx)
	if err != nil {
		return delays, err
	}
	places := []place{s.nodes[0], s.nodes[1+i%(len(s.nodes)-1)], s.verifiers[i%len(s.verifiers)]}
	ctx, cancel := context.WithTimeout(ctx, 2*s.config.Bound+time.Second)
	defer cancel()
	for _, p := range places {
		if err := p.check(ctx, token); err != nil {
			return delays, fmt.Errorf("latency: before the logout the session is refused: %w", err)
		}
	}
	var ends [3]end
	var errs [3]error
	var watching sync.WaitGroup
	for j, p := range places {
		watching.Go(func() { ends[j], errs[j] = untilRefused(ctx, p, token) })
	}
	err = s.nodes[0].logout(ctx, token, false)
	returned := time.Now()
	watching.Wait()
	if err := errors.Join(err, errors.Join(errs[:]...)); err != nil {
		return delays, err
	}
	for j := range places {
		if ends[j].accepted.After(returned) {
			delays[j] = ends[j].refused.Sub(returned)
		}
	}
	return delays, nil
}

// everywhere returns how long a logout takes that waits for everybody.
func (s *site) everywhere(ctx context.Context, i int) (time.Duration, error) {
	token, err := s.nodes[0].login(ctx)
	if err != nil {
		return 0, err
	}
	p := s.verifiers[i%len(s.verifiers)]
	if err := p.check(ctx, token); err != nil {
		return 0, fmt.Errorf("latency: before the logout the session is refused: %w", err)
	}
	began := time.Now()
	if err := s.nodes[0].logout(ctx, token, true); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if err := p.check(ctx, token); !isRefusal(err) {
		return 0, fmt.Errorf("latency: after it ended everywhere a verifier says %w", err)
	}
	return took, nil
}

// A place is where a token is checked.
type place interface {
	check(ctx context.Context, token string) error
}

// An end is when the last check began that was accepted, and the first that was
// not.
type end struct{ accepted, refused time.Time }

// untilRefused checks until the token is refused. An answer that is neither yes
// nor no is an error: nothing is broken here.
func untilRefused(ctx context.Context, p place, token string) (e end, err error) {
	for {
		began := time.Now()
		switch err := p.check(ctx, token); {
		case isRefusal(err):
			e.refused = began
			return e, nil
		case err != nil:
			return e, err
		case ctx.Err() != nil:
			return e, fmt.Errorf("latency: the token is still accepted: %w", ctx.Err())
		}
		e.accepted = began
		time.Sleep(20 * time.Microsecond) // the others need the processor, too
	}
}

func isRefusal(err error) bool {
	return errors.Is(err, counterfoil.ErrInvalidToken) || errors.Is(err, verify.ErrInvalid)
}

type verifier struct{ *verify.Verifier }

func (v verifier) check(ctx context.Context, token string) error {
	_, err := v.Check(ctx, token)
	return err
}

// underLoad has other sessions come and go, with checks on every node, until
// stop.
func (s *site) underLoad(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	const workers = 8
	var work sync.WaitGroup
	for w := range workers {
		work.Go(func() {
			tick := time.NewTicker(time.Second * workers / time.Duration(s.config.Load))
			defer tick.Stop()
			for i := w; ; i++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := s.visit(ctx, i); err != nil && ctx.Err() == nil {
					s.config.Log.ErrorContext(ctx, "the load fails", "error", err)
				}
			}
		})
	}
	return ctx, func() { cancel(); work.Wait() }
}

// visit is one session of the load: a login, ten checks, a logout.
func (s *site) visit(ctx context.Context, i int) error {
	n := s.nodes[i%len(s.nodes)]
	token, err := n.login(ctx)
	if err != nil {
		return err
	}
	for j := range 10 {
		if err := s.nodes[(i+j)%len(s.nodes)].check(ctx, token); err != nil {
			return err
		}
	}
	return n.logout(ctx, token, false)
}

// A node is a manager on a store of its own handle, as in a process of its own.
type node struct {
	manager *counterfoil.Manager
	store   store.Store
	handler http.Handler
}

func (n *node) check(ctx context.Context, token string) error {
	_, err := n.manager.CheckToken(ctx, token)
	return err
}

func (n *node) login(ctx context.Context) (string, error) {
	grant, err := n.manager.LoginClient(ctx, counterfoil.Login{User: "john"}, counterfoil.Client{})
	return grant.Token, err
}
