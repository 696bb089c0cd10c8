//go:build linux

package faults_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/faults"
	"github.com/counterfoil/counterfoil/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

var (
	only = flag.String("nemesis", "", "a part of the names of the nemeses to run")
	logs = flag.String("logs", "", "keep what the processes log in this directory")
	seed = flag.Uint64("seed", 1, "of the first round; those of the others follow")
)

// build compiles the nodes' program.
func build(t *testing.T, edits ...faults.Edit) string {
	t.Helper()
	program, err := faults.Build(t.TempDir(), edits...)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// run runs a round on a server of its own.
func run(t *testing.T, r faults.Round) faults.Result {
	t.Helper()
	r.Dir = *logs
	if r.Dir == "" {
		r.Dir = t.TempDir()
	}
	result, err := r.Run(t.Context())
	if err != nil {
		t.Error(err)
	}
	t.Logf("%+v", result.Numbers)
	return result
}

// none fails the test for each violation, the first ones with what happened.
func none(t *testing.T, r faults.Result) {
	t.Helper()
	if n := len(r.Violations); n > 0 {
		t.Errorf("%d violations (seed %d)", n, r.Seed)
	}
	for _, v := range r.Violations[:min(5, len(r.Violations))] {
		t.Error(v)
	}
}

// why: the rules of the package comment hold on every store, whatever breaks.
func TestNemeses(t *testing.T) {
	program := build(t)
	for _, d := range faults.Databases {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			for i, n := range faults.Nemeses {
				if !n.Short || !strings.Contains(n.Name, *only) {
					continue
				}
				t.Run(n.Name, func(t *testing.T) {
					none(t, run(t, faults.Round{
						Nemesis: n, Database: d.Open(t), Program: program, Seed: *seed + uint64(i),
						Bound: 500 * time.Millisecond, Lasts: 4 * time.Second, Rate: 20,
					}))
				})
			}
		})
	}
}

// why: a checker that finds nothing shows nothing, unless it finds what is
// there. A node whose leases do not end lets somebody in whom it should not.
func TestMutant(t *testing.T) { catch(t, faults.Mutants[0], *seed, 4*time.Second) }

// catch runs rounds with a mutant until a rule is broken. One round is not
// always enough: an answer must be late, and a logout come meanwhile.
func catch(t *testing.T, m faults.Mutant, seed uint64, lasts time.Duration) (r faults.Result) {
	t.Helper()
	program := build(t, m.Edits...)
	checks := 0
	for i := range uint64(12) {
		r = run(t, mutantRound(t, m, program, seed+i, lasts))
		checks += r.Checks
		r.Checks = checks
		if n := len(r.Violations); n > 0 {
			t.Logf("%d violations, such as %v", n, r.Violations[0])
			return r
		}
	}
	t.Errorf("%d checks, and no rule is broken", checks)
	return r
}

func mutantRound(t *testing.T, m faults.Mutant, program string, seed uint64, lasts time.Duration) faults.Round {
	n := slices.IndexFunc(faults.Nemeses, func(n faults.Nemesis) bool { return n.Name == m.Nemesis })
	return faults.Round{
		Nemesis: faults.Nemeses[n], Database: faults.Databases[0].Open(t), Program: program, Seed: seed,
		Bound: 500 * time.Millisecond, Lasts: lasts, Rate: 20,
	}
}
