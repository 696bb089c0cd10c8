package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/child"
	"github.com/counterfoil/counterfoil/bench/internal/env"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// A library whose sessions are in memory has a process to itself: what its
// sessions cost the garbage collector is charged to nobody else.

const alone = "library"

// others are how many other users are logged in where a library keeps the
// sessions on the server. Where the heap is next to empty, as on no site, the
// garbage collector runs every few thousand requests, and what that takes is no
// library's.
const others = 10_000

// Children are the processes that this package starts.
func Children() map[string]child.Main {
	return map[string]child.Main{alone: func(args []string) error { return runAlone(args[0]) }}
}

// about is what a child says of its application when it is ready.
type about struct {
	Kind  report.Kind
	Paths []string // of what it can be told to measure
}

// A task is what a child is told to measure.
type task struct {
	Path string
	N    int
}

// done is the answer to that.
type done struct {
	Sample measure.Sample
	Err    string // empty: there is none
}

// runAlone measures requests to one application until its standard input ends.
func runAlone(name string) error {
	return env.Use(context.Background(), func(tb testing.TB) error {
		a, err := openAlone(tb, name)
		if err != nil {
			return err
		}
		says, runs := about{Kind: a.kind}, map[string]func(int) error{}
		for _, path := range []string{identity, read, change} {
			if a.fast != nil || a.routes[path] != nil {
				says.Paths = append(says.Paths, path)
				runs[path] = requests(tb, a, path, 1)
			}
		}
		in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
		if err := out.Encode(says); err != nil {
			return err
		}
		for {
			var t task
			if err := in.Decode(&t); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			var d done
			if d.Sample, err = measure.Once(measure.Case{Run: runs[t.Path]}, t.N); err != nil {
				d.Err = err.Error()
			}
			if err := out.Encode(d); err != nil {
				return err
			}
		}
	})
}

// openAlone opens an application of inMemory, with its other users.
func openAlone(tb testing.TB, name string) (app, error) {
	for _, l := range inMemory {
		if l.name != name {
			continue
		}
		a := l.open(tb, name)
		if a.keepsOnServer {
			for range others {
				newBrowser(tb, a)
			}
		}
		return a, nil
	}
	return app{}, errors.New("there is no such library")
}

// A loner is an application in a process that has nothing else.
type loner struct {
	name string
	about
	process *child.Process
}

func startLoner(tb testing.TB, name string) loner {
	p, err := child.Start(alone, name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil {
			tb.Error(err)
		}
	})
	l := loner{name: name, process: p}
	if err := p.Hear(&l.about); err != nil {
		tb.Fatalf("%s did not start: %v", name, err)
	}
	return l
}

// measured is the case of a route.
func (l loner) measured(path string) measure.Case {
	return measure.Case{Name: l.name, Elsewhere: func(n int) (measure.Sample, error) {
		var d done
		err := l.process.Tell(task{path, n})
		if err == nil {
			err = l.process.Hear(&d)
		}
		if err == nil && d.Err != "" {
			err = errors.New(d.Err)
		}
		return d.Sample, err
	}}
}
