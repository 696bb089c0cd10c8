//go:build linux && faults

package faults_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/faults"
)

var (
	report = flag.String("report", "", "write what was found to this file; required")
	lasts  = flag.Duration("lasts", 14*time.Second, "for how long each nemesis strikes")
)

// TestReport runs everything. It is "make faults": it takes a quarter of an hour.
func TestReport(t *testing.T) {
	r := faults.Report{Date: time.Now(), Machine: faults.Machine(), Bound: time.Second}
	clock, err := faults.WallClock()
	if err != nil {
		t.Fatal(err)
	}
	program := build(t, clock...)
	next := *seed
	for _, d := range faults.Databases {
		for _, n := range faults.Nemeses {
			if !strings.Contains(n.Name, *only) {
				continue
			}
			t.Run(d.Name+"/"+n.Name, func(t *testing.T) {
				db := d.Open(t)
				if !n.Suits(db) {
					return
				}
				next++
				result := run(t, faults.Round{
					Nemesis: n, Database: db, Program: program, Seed: next,
					Bound: r.Bound, Lasts: *lasts, Rate: 25,
				})
				none(t, result)
				r.Add(db.Name+" "+db.Version, result)
			})
		}
	}
	for _, m := range faults.Mutants {
		t.Run(m.Name, func(t *testing.T) {
			result := catch(t, m, next+1, *lasts/2)
			r.Mutants = append(r.Mutants, faults.MutantResult{Mistake: m.Name, Result: result})
		})
	}
	f, err := os.Create(*report)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
