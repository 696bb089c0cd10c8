package server_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
)

// The whole server in a program of your own: on sessions in memory here, and
// until ctx ends.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	dir, err := os.MkdirTemp("", "counterfoil")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	accounts, err := account.Open(ctx, filepath.Join(dir, "counterfoil.db"), account.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	url := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)

	s, err := server.New(server.Config{
		Sessions: counterfoil.Config{PublicURL: url},
		Accounts: accounts,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	served := make(chan error)
	go func() { served <- s.Serve(ctx, listener) }()

	answer, err := http.Get(url + "/readyz")
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(answer.Status)
	stop() // as SIGTERM would
	fmt.Println(<-served)
	// Output:
	// 200 OK
	// <nil>
}
