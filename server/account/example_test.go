package account_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/counterfoil/counterfoil/server/account"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "account")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	accounts, err := account.Open(ctx, filepath.Join(dir, "counterfoil.db"), account.Config{
		ContextWords: []string{"counterfoil", "example.org"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	if _, err := accounts.AddFirst(ctx, "john", "correct horse battery staple"); err != nil {
		log.Fatal(err)
	}
	user, err := accounts.Authenticate(ctx, account.Attempt{
		Name:     "John",
		Password: "correct horse battery staple",
		Address:  netip.MustParseAddr("192.0.2.1"),
	})
	fmt.Println(user.Name, err)

	_, err = accounts.Authenticate(ctx, account.Attempt{Name: "john", Password: "12345"})
	fmt.Println(err)

	var refused *account.PasswordError
	_, err = accounts.Add(ctx, "jane", "passwordpassword")
	fmt.Println(errors.As(err, &refused))
	// Output:
	// john <nil>
	// account: wrong name or password
	// true
}

// Whoever changes a password ends the user's sessions before the debt is
// cleared; what a dead process left behind is found at the next start.
func ExampleAccounts_PendingCutoffs() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "account")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	accounts, err := account.Open(ctx, filepath.Join(dir, "counterfoil.db"), account.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	john, err := accounts.Add(ctx, "john", "correct horse battery staple")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := accounts.Disable(ctx, john.ID); err != nil {
		log.Fatal(err)
	}

	pending, err := accounts.PendingCutoffs(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range pending {
		fmt.Println("end all sessions of john:", c.UserID == john.ID)
		if err := accounts.CutoffDone(ctx, c); err != nil {
			log.Fatal(err)
		}
	}
	pending, err = accounts.PendingCutoffs(ctx)
	fmt.Println(len(pending), err)
	// Output:
	// end all sessions of john: true
	// 0 <nil>
}
