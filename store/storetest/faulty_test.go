package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

var errFault = errors.New("the disk is on fire")

// faultyMemory is a store that holds one session and breaks as told from then
// on.
func faultyMemory(t *testing.T, fault func(method string) Fault) (Faulty, *memory.Store, store.Rotation) {
	real := memory.New(memory.Config{})
	t.Cleanup(func() { real.Close() })
	c := login("john")
	rotation := withRefresh(&c)
	if _, err := real.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := real.SwapDocument(t.Context(), "doc", 0, []byte("doc")); err != nil {
		t.Fatal(err)
	}
	return Faulty{real, fault}, real, rotation
}

func TestFaultyNamesEveryMethod(t *testing.T) {
	var named []string
	faulty, _, rotation := faultyMemory(t, func(method string) Fault {
		named = append(named, method)
		return Fault{Err: errFault}
	})
	all := append(calls(faulty, rotation), call{"Close", func(context.Context) error { return faulty.Close() }})
	for _, call := range all {
		if err := call.do(t.Context()); err != errFault {
			t.Errorf("%s: got error %v, want %v", call.method, err, errFault)
		}
		if last := named[len(named)-1]; last != call.method {
			t.Errorf("%s was announced as %s", call.method, last)
		}
	}
	// InProcess can't fail.
	if methods := reflect.TypeFor[store.Store]().NumMethod() - 1; len(all) != methods {
		t.Errorf("%d of the contract's %d methods were called", len(all), methods)
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		why      string
		fault    Fault
		want     error
		wantGone bool
	}{
		"none":        {why: "The zero Fault is none.", wantGone: true},
		"not applied": {why: "Unless Applied is set, nothing is applied.", fault: Fault{Err: errFault}, want: errFault},
		"applied":     {why: "Applied: the call takes effect, and then reports that error all the same.", fault: Fault{Err: store.ErrIndeterminate, Applied: true}, want: store.ErrIndeterminate, wantGone: true},
		"lost":        {why: "DangerouslyLost reports success and applies nothing.", fault: Fault{DangerouslyLost: true}},
		"hang":        {why: "Hang waits until the context ends and returns its error. Nothing is applied.", fault: Fault{Hang: true}, want: context.DeadlineExceeded},
		"short delay": {why: "Delay lets time pass before anything else.", fault: Fault{Delay: time.Second}, wantGone: true},
		"long delay":  {why: "If the context ends meanwhile, nothing is applied.", fault: Fault{Delay: time.Hour}, want: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				faulty, real, rotation := faultyMemory(t, func(string) Fault { return c.fault })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				started := time.Now()
				if _, err := faulty.End(ctx, rotation.ID, retain); !errors.Is(err, c.want) {
					t.Errorf("%s\ngot error %v, want %v", c.why, err, c.want)
				}
				if passed := time.Since(started); passed < min(c.fault.Delay, time.Minute) {
					t.Errorf("%s\nonly %v passed", c.why, passed)
				}
				if _, err := real.Find(t.Context(), rotation.ID); errors.Is(err, store.ErrNotFound) != c.wantGone {
					t.Errorf("%s\nFind says %v", c.why, err)
				}
			})
		})
	}
}

func TestFaultyWithoutFaultsKeepsTheContract(t *testing.T) {
	Run(t, func(*testing.T) store.Store {
		return Faulty{memory.New(memory.Config{}), func(string) Fault { return Fault{} }}
	})
}
