package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/counterfoil/counterfoil/internal/latency"
)

type benchCmd struct {
	Logout benchLogoutCmd `cmd:"" help:"Measure how long a logged-out token still works."`
}

type benchLogoutCmd struct {
	Nodes     int           `default:"3" help:"How many nodes share the store."`
	Verifiers int           `default:"100" help:"How many verifiers follow them."`
	Logouts   int           `default:"2000" help:"How many logouts are measured, idle and again under load."`
	Load      int           `default:"200" help:"How many other sessions come and go in a second, in the run under load."`
	Bound     time.Duration `default:"2s" env:"COUNTERFOIL_BOUND" help:"How old a node's view of logouts may be (${env})."`
	SVG       string        `name:"svg" placeholder:"PATH" help:"Also write a histogram here."`
}

// Validate is called by kong after parsing.
func (c *benchLogoutCmd) Validate() error {
	if c.Nodes < 2 || c.Nodes > 100 || c.Verifiers < 1 || c.Verifiers > 1000 || c.Logouts < 1 || c.Load < 1 || c.Load > 100_000 {
		return errors.New("it takes 2 to 100 nodes, 1 to 1000 verifiers, a logout or more, and a load of 1 to 100000")
	}
	return checkBound(c.Bound, 50*time.Millisecond) // the least that a verifier takes
}

// Run measures in one process, on the store of --store; without that on a SQLite
// file that it makes for the purpose.
func (c *benchLogoutCmd) Run(ctx context.Context, o *options) (err error) {
	dir, err := os.MkdirTemp("", "counterfoil-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	open, _, err := o.openGuest(dir)
	if err != nil {
		return err
	}
	var svg *os.File
	if c.SVG != "" { // before the time that it takes
		if svg, err = os.Create(c.SVG); err != nil {
			return usageError{err}
		}
		defer func() { err = errors.Join(err, svg.Close()) }()
	}
	report, err := latency.Measure(ctx, latency.Config{
		Open:      open,
		Nodes:     c.Nodes,
		Verifiers: c.Verifiers,
		Logouts:   c.Logouts,
		Load:      c.Load,
		Bound:     c.Bound,
		Log:       slog.Default(),
		Progress:  func(what string) { fmt.Fprintln(os.Stderr, what) },
	})
	if err != nil {
		return err
	}
	if err := report.WriteTable(os.Stdout); err != nil || svg == nil {
		return err
	}
	return report.WriteSVG(svg)
}
