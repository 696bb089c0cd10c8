package env

import (
	"errors"
	"os"
	"testing"
)

func TestUse(t *testing.T) {
	returned := errors.New("returned")
	var dir string
	var order []string
	err := Use(t.Context(), func(tb testing.TB) error {
		tb.Cleanup(func() { order = append(order, "first") })
		tb.Cleanup(func() {
			order = append(order, "last")
			if tb.Context().Err() == nil {
				t.Error("the context outlives the function")
			}
		})
		dir = tb.TempDir()
		return returned
	})
	if !errors.Is(err, returned) {
		t.Errorf("got %v, want the function's error", err)
	}
	if len(order) != 2 || order[0] != "last" {
		t.Errorf("cleaned up in the order %q, want the reverse", order)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestFatalEndsTheFunctionAndCleansUp(t *testing.T) {
	cleaned := false
	err := Use(t.Context(), func(tb testing.TB) error {
		tb.Cleanup(func() { cleaned = true })
		tb.Fatalf("no server on port %d", 1)
		t.Error("Fatalf returned")
		return nil
	})
	if err == nil || err.Error() != "no server on port 1" || !cleaned {
		t.Errorf("got %v, cleaned up: %t", err, cleaned)
	}
}
