package latency

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/postgres"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// Every place is measured, idle and under load, and none accepts a token for
// longer than the bound.
func TestMeasure(t *testing.T) {
	url := servers.Postgres(t)
	const bound = 5 * time.Second
	r, err := Measure(t.Context(), Config{
		Open: func(ctx context.Context) (store.Store, error) {
			return postgres.Open(ctx, url, postgres.Config{})
		},
		Nodes:     2,
		Verifiers: 3,
		Logouts:   20,
		Load:      20,
		Bound:     bound,
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Series) != 8 {
		t.Fatalf("%d series, want four places in two runs", len(r.Series))
	}
	for _, s := range r.Series {
		want := 20
		if s.Where == "everywhere returns" {
			want = 2
		}
		if s.Count() != want {
			t.Errorf("%s, %s: %d measures, want %d", s.Where, s.run(), s.Count(), want)
		}
		if most := s.Quantile(1); most > store.Longest(bound) && s.Where != "everywhere returns" {
			t.Errorf("%s, %s: %v, the bound is %v", s.Where, s.run(), most, bound)
		}
		if s.Where == "same node" && s.Quantile(1) > 0 {
			t.Errorf("the node that served the logout accepted the token for %v", s.Quantile(1))
		}
	}
	var table, svg strings.Builder
	if err := errors.Join(r.WriteTable(&table), r.WriteSVG(&svg)); err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(table.String(), "\n| "); rows != 9 {
		t.Errorf("the table has %d rows:\n%s", rows, table.String())
	}
	if err := xml.Unmarshal([]byte(svg.String()), new(struct{})); err != nil {
		t.Errorf("the plot is no XML: %v", err)
	}
}

func TestQuantile(t *testing.T) {
	var s Sample
	if s.Quantile(.5) != 0 {
		t.Error("there is nothing to measure")
	}
	for i := 1000; i >= 1; i-- {
		s.add(time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0: 1, .5: 500, .99: 990, .999: 999, 1: 1000} {
		if got := s.Quantile(q); got != want {
			t.Errorf("quantile %v of 1 to 1000 is %d, want %d", q, got, want)
		}
	}
}
