package measure

import (
	"context"
	"errors"
	"testing"
	"time"
)

var sink []byte

func TestResultsSayWhatTheOperationTook(t *testing.T) {
	prepared := 0
	results, err := Run(t.Context(), Plan{Rounds: 3, Time: 2 * time.Millisecond}, []Case{
		{Name: "allocates", Run: func(n int) error {
			for range n {
				sink = make([]byte, 4096)
			}
			return nil
		}},
		{
			Name: "uses up", Max: 10,
			Prepare: func(n int) error { prepared = n; return nil },
			Run: func(n int) error {
				if n != prepared || n > 10 {
					t.Errorf("%d operations with %d prepared", n, prepared)
				}
				return nil
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	first := results[0]
	if len(first.CPU) != 3 || len(results[1].Wall) != 3 {
		t.Errorf("%d and %d samples, want one a round", len(first.CPU), len(results[1].Wall))
	}
	for i := range first.CPU {
		if first.Wall[i] <= 0 || first.Allocs[i] < .99 || first.Allocs[i] > 2 || first.Bytes[i] < 4096 {
			t.Errorf("round %d: %v ns, %v allocations, %v bytes", i, first.Wall[i], first.Allocs[i], first.Bytes[i])
		}
	}
}

func TestNothingThatFailsIsTimed(t *testing.T) {
	fails := errors.New("refused")
	_, err := Run(t.Context(), Plan{Rounds: 1, Time: time.Millisecond}, []Case{{Name: "x", Run: func(int) error { return fails }}})
	if !errors.Is(err, fails) {
		t.Errorf("got %v", err)
	}
}

func TestAnEndedContextEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, Plan{Rounds: 1}, []Case{{Name: "x", Run: func(int) error { return nil }}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
