// Package storetest is the contract of package store as a test.
//
// Whoever writes a store calls Run from a test of his own:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return mystore.Open(…) })
//	}
//
// Every subtest quotes the sentence of the contract that it defends, and prints
// it when it fails. [RunDurable] adds what a store owes that survives its
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
// goroutines in open. For a store that can't, see [RunRealTime].
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	run(t, suite{open: open, tick: time.Second, timed: synctest.Test})
}

// RunRealTime is [Run] for a store whose clock is not the process's, such as a
// database server. It sleeps for real, so it takes some seconds.
func RunRealTime(t *testing.T, open func(t *testing.T) store.Store) {
	run(t, suite{open: open, tick: 100 * time.Millisecond, timed: func(t *testing.T, f func(*testing.T)) { f(t) }})
}

// A suite is one way to run the rules.
type suite struct {
	open  func(t *testing.T) store.Store
	tick  time.Duration                      // the unit of all waiting
	timed func(*testing.T, func(*testing.T)) // runs a test in which time matters
}

// A rule is one sentence of the contract and how it is checked.
type rule struct {
	name  string
	why   string // the sentence
	timed bool   // the check waits
	check func(*kit)
}

func run(t *testing.T, s suite) {
	for _, group := range []struct {
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
		{"Purge", purgeRules},
		{"Documents", documentRules},
		{"Hostile", hostileRules},
		{"Close", closeRules},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, r := range group.rules {
				t.Run(r.name, func(t *testing.T) { s.run(t, r) })
			}
		})
	}
}

func (s suite) run(t *testing.T, r rule) {
	check := func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("the contract says: %s", r.why)
			}
		}()
		opened := s.open(t)
		defer func() {
			if err := opened.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
		r.check(&kit{t: t, store: opened, suite: s})
	}
	if r.timed {
		s.timed(t, check)
		return
	}
	check(t)
}
