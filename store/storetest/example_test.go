package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/storetest"
)

// A logout whose outcome is unknown: the session is gone, and the store says
// that it can't tell.
func ExampleFaulty() {
	real := memory.New(memory.Config{})
	defer real.Close()
	s := storetest.Faulty{Store: real, Fault: func(method string) storetest.Fault {
		if method == "End" {
			return storetest.Fault{Err: store.ErrIndeterminate, Applied: true}
		}
		return storetest.Fault{}
	}}

	ctx := context.Background()
	id := store.NewSID(time.Now())
	if _, err := s.Create(ctx, store.Creation{Session: store.Session{ID: id, Idle: time.Hour}, Lifetime: time.Hour}); err != nil {
		panic(err)
	}
	_, err := s.End(ctx, id, time.Hour)
	fmt.Println(errors.Is(err, store.ErrIndeterminate))
	_, err = s.Find(ctx, id)
	fmt.Println(errors.Is(err, store.ErrNotFound))
	// Output:
	// true
	// true
}
