package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/redis"
)

func Example() {
	ctx := context.Background()
	sessions, err := redis.Open(ctx, "redis://counterfoil:password@localhost:6379/0", redis.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()

	login, err := sessions.Create(ctx, store.Creation{
		Session:  store.Session{ID: store.NewSID(time.Now()), User: "john", Idle: time.Hour},
		Lifetime: 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	ended, err := sessions.End(ctx, login.ID, 12*time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	_, err = sessions.Find(ctx, login.ID)
	fmt.Println(ended.Count, ended.Head.Pos, errors.Is(err, store.ErrNotFound))
}
