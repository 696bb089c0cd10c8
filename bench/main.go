package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/sockets"
)

// groups are what is measured, in the order of the document.
var groups = []struct {
	name string
	run  func(context.Context, measure.Plan) (report.Section, error)
}{
	{"sockets", sockets.Run},
	{"logins", sockets.RunLogins},
}

func main() {
	sockets.Child()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "", "the groups to run, as a regular expression")
	rounds := flag.Int("rounds", 9, "how often each case is measured")
	quick := flag.Bool("quick", false, "a first look: short rounds and small data sets")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	plan := measure.Plan{Rounds: *rounds, Time: 200 * time.Millisecond, Quick: *quick, Log: os.Stderr}
	if *quick {
		plan.Rounds, plan.Time = 3, 20*time.Millisecond
	}
	var r report.Report
	for _, g := range groups {
		if !wanted.MatchString(g.name) {
			continue
		}
		section, err := g.run(ctx, plan)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		r.Sections = append(r.Sections, section)
	}
	return r.Markdown(os.Stdout, "img")
}
