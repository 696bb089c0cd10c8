package memory_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

func Example() {
	ctx := context.Background()
	s := memory.New(memory.Config{})
	defer s.Close()

	session, err := s.Create(ctx, store.Creation{
		Session:  store.Session{ID: store.NewSID(time.Now()), User: "john", Idle: time.Hour},
		Lifetime: 24 * time.Hour,
	})
	if err != nil {
		panic(err)
	}
	ended, err := s.End(ctx, session.ID, 10*time.Minute)
	if err != nil {
		panic(err)
	}
	_, err = s.Find(ctx, session.ID)
	fmt.Println(ended.Count, errors.Is(err, store.ErrNotFound))
	// Output: 1 true
}
