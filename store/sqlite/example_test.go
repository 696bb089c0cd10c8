package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	sessions, err := sqlite.Open(ctx, filepath.Join(dir, "counterfoil.db"), sqlite.Config{})
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
	// Output: 1 1 true
}
