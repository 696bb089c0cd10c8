// Package storetest is the contract of package store as a test.
//
// Whoever writes a store calls Run from a test of his own:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return mystore.Open(…) })
//	}
//
// Every subtest quotes the sentence of the contract that it defends, and prints
// it when it fails. [RunRealTime] runs the same rules on a store that has a
// clock of its own. [RunDurable] adds what a store owes that survives its
// process. [Faulty] breaks a store on purpose, for the tests of its callers.
package storetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Run tests the stores that open returns against the contract. Each call of
// open must return a new, empty store; Run closes it.
//
// Tests in which time matters run in a bubble of testing/synctest, and call
// open inside it: the store must take its time from package time and start its
// goroutines in open.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, r := range group.rules {
				t.Run(r.name, func(t *testing.T) { r.run(t, open) })
			}
		})
	}
	t.Run("Model", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { checkModel(t, open) })
	})
}

var groups = []struct {
	name  string
	rules []rule
}{
	{"Create", createRules},
	{"Find", findRules},
	{"List", listRules},
	{"Values", valuesRules},
	{"Touch", touchRules},
	{"Expiry", expiryRules},
	{"Refresh", refreshRules},
	{"End", endRules},
	{"Log", logRules},
	{"Beat", beatRules},
	{"Watch", watchRules},
	{"Merge", mergeRules},
	{"Purge", purgeRules},
	{"Documents", documentRules},
	{"Hostile", hostileRules},
	{"Close", closeRules},
}

// A rule is one sentence of the contract and how it is checked.
type rule struct {
	name  string
	why   string // the sentence
	timed bool   // the check waits: it runs in a bubble, where waiting costs nothing
	check func(*kit)
}

func (r rule) run(t *testing.T, open func(t *testing.T) store.Store) {
	check := func(t *testing.T) {
		defer r.explain(t)
		s := open(t)
		defer closes(t, s)
		r.check(&kit{t: t, store: s, tick: time.Second})
	}
	if r.timed {
		synctest.Test(t, check)
		return
	}
	check(t)
}

func (r rule) explain(t *testing.T) {
	if t.Failed() {
		t.Logf("the contract says: %s", r.why)
	}
}

// closes closes the store and checks that it does.
func closes(t tester, s store.Store) {
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
