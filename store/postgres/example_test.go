package postgres_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/postgres"
)

// Two nodes share the sessions of one database.
func Example() {
	ctx := context.Background()
	const url = "postgres://counterfoil@db.example.org/counterfoil?sslmode=verify-full"
	one, err := postgres.Open(ctx, url, postgres.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer one.Close()
	two, err := postgres.Open(ctx, url, postgres.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer two.Close()

	login, err := one.Create(ctx, store.Creation{
		Session:  store.Session{ID: store.NewSID(time.Now()), User: "john", Idle: time.Hour},
		Lifetime: 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	ended, err := two.End(ctx, login.ID, 12*time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	_, err = one.Find(ctx, login.ID)
	fmt.Println(ended.Count, ended.Head.Pos, err)
}
