// Package scale measures what many live sessions cost: a check, memory, the
// garbage collector, the start from a full file, and the purge of sessions that
// have all expired.
//
// Sessions hold what they hold everywhere in these benchmarks: the user's id,
// the time of the login and a note of 200 bytes. They are put into the stores
// directly, as a login would put them there: a million logins would measure
// logins.
package scale

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/env"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
)

const million = 1_000_000

// sizes are the numbers of live sessions in memory.
func sizes(p measure.Plan) []int {
	all := []int{10_000, 100_000, million, 10 * million}
	if p.Quick {
		return all[:3]
	}
	return all
}

// Run measures everything. It takes about ten minutes and 6 GB of memory; quick,
// two minutes and 2 GB.
func Run(ctx context.Context, p measure.Plan) (report.Section, error) {
	s := report.Section{
		ID:    "scale",
		Title: "Ten thousand to ten million sessions",
		Text: []string{
			"Live sessions of as many users, with the user's id, the time of the login and a note of 200 bytes, in the memory of one process, and in a SQLite file. Requests ask for one of them at random, so that beyond some ten thousand sessions no processor cache holds what they need.",
		},
	}
	err := env.Use(ctx, func(tb testing.TB) error {
		memory, err := measureMemory(tb, p, sizes(p), million)
		if err != nil {
			return err
		}
		stalls, err := measureStalls(tb, p, million)
		if err != nil {
			return err
		}
		files, err := measureFiles(tb, p, sizes(p)[:3])
		if err != nil {
			return err
		}
		s.Tables = append(append(memory, stalls), files...)
		return nil
	})
	return s, err
}

// number writes a number of sessions in words.
func number(n int) string {
	switch {
	case n == million:
		return "1 million"
	case n > million && n%million == 0:
		return fmt.Sprint(n/million, " million")
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprint(n/1000, " thousand")
	default:
		return fmt.Sprint(n)
	}
}

func named(parts ...string) string { return strings.Join(parts, ", ") }
