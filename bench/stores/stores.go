package stores

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/env"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
)

const (
	ourName = "Counterfoil"
	rowName = "row by row"

	// manyClients is how many write at once where a store can show how it
	// shares the cost of a commit.
	manyClients = 64
)

// A contender is a backend under the name that it has in the tables.
type contender struct {
	name string
	kind report.Kind
	backend
}

// A database is what stores are compared on.
type database struct {
	section report.Section
	server  bool // it has processes of its own
	open    func(testing.TB) ([]contender, error)
	atLeast map[string]float64 // of row by row, by operation: the targets
}

// SQLite compares the stores on files.
func SQLite(ctx context.Context, p measure.Plan) (report.Section, error) {
	return compare(ctx, p, database{
		section: report.Section{
			ID: "sqlite", Title: "Stores on SQLite",
			Text: []string{"All write with `synchronous=FULL` and a write-ahead log, through the same driver. " +
				"*Row by row* writes Counterfoil's tables with prepared statements, a transaction for each write."},
		},
		open:    sqliteBackends,
		atLeast: map[string]float64{"insert": 10, "update": 7},
	})
}

// Postgres compares the stores on a PostgreSQL server.
func Postgres(ctx context.Context, p measure.Plan) (report.Section, error) {
	return compare(ctx, p, database{
		section: report.Section{
			ID: "postgres", Title: "Stores on PostgreSQL",
			Text: []string{"The server has fsync and synchronous_commit on, and its defaults otherwise. Peers and *row by row* have " +
				"a connection for every client and statements that the server keeps; *row by row* writes Counterfoil's tables, " +
				"a transaction for each write, sent at once."},
		},
		server:  true,
		open:    postgresBackends,
		atLeast: map[string]float64{"insert": 3, "update": 3},
	})
}

// Redis compares the stores on a Redis server.
func Redis(ctx context.Context, p measure.Plan) (report.Section, error) {
	return compare(ctx, p, database{
		section: report.Section{
			ID: "redis", Title: "Stores on Redis",
			Text: []string{"The server has appendfsync always. The peers set one key; Counterfoil's scripts also check that the session " +
				"is live, keep the indexes by user and by expiry, and append to the log of what has ended."},
		},
		server: true,
		open:   redisBackends,
	})
}

// compare runs every operation, with one client and with many, in rounds: in
// each all contenders take turns.
func compare(ctx context.Context, p measure.Plan, d database) (section report.Section, err error) {
	err = env.Use(ctx, func(tb testing.TB) error {
		contenders, err := d.open(tb)
		if err != nil {
			return err
		}
		results, err := rounds(tb.Context(), p, contenders)
		if err != nil {
			return err
		}
		section = d.section
		for i, op := range operations {
			section.Tables = append(section.Tables, d.table(op, contenders, results[i]))
		}
		return nil
	})
	return section, err
}

// The columns of the tables.
var (
	manyMetric   = report.Metric{Name: fmt.Sprintf("%d clients", manyClients), Unit: report.PerSecond, Higher: true}
	oneMetric    = report.Metric{Name: "1 client", Unit: report.PerSecond, Higher: true}
	cpuMetric    = report.Metric{Name: "CPU of the program", Unit: report.Nanoseconds, Plain: true}
	serverMetric = report.Metric{Name: "CPU of the server", Unit: report.Nanoseconds, Plain: true}
)

// samples are what the rounds have shown of one operation, by contender and
// metric.
type samples []map[string][]float64

// rounds returns the samples of every operation.
func rounds(ctx context.Context, p measure.Plan, contenders []contender) ([]samples, error) {
	results := make([]samples, len(operations))
	for i := range results {
		for range contenders {
			results[i] = append(results[i], map[string][]float64{})
		}
	}
	crowds := newCrowds(len(contenders))
	for round := -1; round < min(max(p.Rounds, 1), 5); round++ { // the first warms up
		p.Logf("stores: round %d", round+1)
		for i, op := range operations {
			for _, size := range []int{1, manyClients} {
				for k := range contenders {
					n := (k + max(round, 0)) % len(contenders)
					if err := ctx.Err(); err != nil {
						return nil, err
					}
					s, err := turn(ctx, contenders[n], crowds[n][size], op, length(p, round, size))
					if err != nil {
						return nil, fmt.Errorf("%s: %w", contenders[n].name, err)
					}
					if round >= 0 {
						results[i].keep(n, size, s)
					}
				}
			}
		}
	}
	return results, nil
}

func (r samples) keep(n, size int, s sample) {
	if size == 1 {
		r[n][oneMetric.Name] = append(r[n][oneMetric.Name], s.rate)
		return
	}
	for name, x := range map[string]float64{manyMetric.Name: s.rate, cpuMetric.Name: s.cpu, serverMetric.Name: s.server} {
		r[n][name] = append(r[n][name], x)
	}
}

// newCrowds makes a client that works alone, and many, for every contender.
func newCrowds(contenders int) []map[int][]*client {
	crowds := make([]map[int][]*client, contenders)
	for i := range crowds {
		crowds[i] = map[int][]*client{}
		for _, size := range []int{1, manyClients} {
			for n := range size {
				crowds[i][size] = append(crowds[i][size], &client{number: n, of: size})
			}
		}
	}
	return crowds
}

// length is how long a turn lasts: a second, by default, for many clients.
func length(p measure.Plan, round, size int) time.Duration {
	l := 5 * p.Time
	if size == 1 || round < 0 {
		l /= 2
	}
	return l
}

func (d database) table(op operation, contenders []contender, s samples) report.Table {
	t := report.Table{
		ID: op.id, Title: op.title,
		Metrics: []report.Metric{manyMetric, oneMetric, cpuMetric},
	}
	if d.server {
		t.Metrics = append(t.Metrics, serverMetric)
	}
	for i, c := range contenders {
		t.Rows = append(t.Rows, report.Row{Name: c.name, Kind: c.kind, Samples: s[i]})
	}
	if limit, ok := d.atLeast[op.id]; ok {
		t.Baseline = rowName
		t.Targets = []report.Target{{
			Row: ourName, Metric: manyMetric.Name, Against: rowName, Limit: limit, AtLeast: true,
			Words: fmt.Sprintf("at least %.0f × row by row", limit),
		}}
	}
	return t
}

// closing closes what a benchmark has opened.
func closing(tb testing.TB, closes func() error) func() {
	return func() {
		if err := closes(); err != nil {
			tb.Error(err)
		}
	}
}
