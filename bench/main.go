package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"github.com/counterfoil/counterfoil/bench/csrf"
	"github.com/counterfoil/counterfoil/bench/internal/child"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/middleware"
	"github.com/counterfoil/counterfoil/bench/scale"
	"github.com/counterfoil/counterfoil/bench/sockets"
	"github.com/counterfoil/counterfoil/bench/stores"
	"github.com/counterfoil/counterfoil/bench/tokens"
)

// groups are what is measured, in the order of the document.
var groups = []struct {
	name string
	run  func(context.Context, measure.Plan) (report.Section, error)
}{
	{"middleware", middleware.Memory},
	{"databases", middleware.Databases},
	{"csrf", csrf.Run},
	{"tokens", tokens.Run},
	{"scale", scale.Run},
	{"stores/sqlite", stores.SQLite},
	{"stores/postgres", stores.Postgres},
	{"stores/redis", stores.Redis},
	{"sockets", sockets.Run},
	{"logins", sockets.RunLogins},
}

func main() {
	children := sockets.Children()
	maps.Copy(children, middleware.Children())
	child.Run(children)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "", "the groups to run, as a regular expression (default all)")
	rounds := flag.Int("rounds", 5, "how often each case is measured")
	quick := flag.Bool("quick", false, "a first look: short rounds and small data sets")
	file := flag.String("report", "", "the Markdown file to write; its plots go to img beside it")
	readme := flag.String("readme", "", "the README whose figures to write")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	plan := measure.Plan{Rounds: *rounds, Time: 200 * time.Millisecond, Quick: *quick, Log: os.Stderr}
	if *quick {
		plan.Rounds, plan.Time = min(*rounds, 3), 50*time.Millisecond
	}
	r := report.Report{Intro: intro, Facts: facts(plan)}
	for _, g := range groups {
		if !wanted.MatchString(g.name) {
			continue
		}
		begun := time.Now()
		section, err := g.run(ctx, plan)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		r.Sections = append(r.Sections, section)
		if err := section.Terminal(os.Stdout); err != nil {
			return err
		}
		plan.Logf("%s took %v", g.name, time.Since(begun).Round(time.Second))
	}
	if *file != "" {
		if err := write(&r, *file); err != nil {
			return err
		}
	}
	if *readme != "" {
		return writeREADME(&r, *readme)
	}
	return nil
}

// write writes the document and its plots.
func write(r *report.Report, file string) error {
	images := filepath.Join(filepath.Dir(file), "img")
	create := func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(images, name)) }
	if err := r.Plots(create); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := r.Markdown(out, "img"); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
