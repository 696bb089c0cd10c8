package storetest

import (
	"testing"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

func TestRunRealTime(t *testing.T) {
	RunRealTime(t, func(*testing.T) store.Store { return memory.New(memory.Config{}) })
}
