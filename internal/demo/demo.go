// Package demo shows what a logout on one node means on another: it runs two
// servers on one store, and a page that holds them side by side.
//
// Call [Run]; it serves until its context ends.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/pages"
	"github.com/counterfoil/counterfoil/store"
)

// Config says what is shown.
type Config struct {
	// Listener is where the page is served. It must be on loopback: whoever
	// reaches the page may log John out.
	Listener net.Listener
	// Open opens the store, once for each node, as two processes would.
	Open func(context.Context) (store.Store, error)
	// Store names it on the page.
	Store string
	// Accounts has the users. The demo adds one.
	Accounts *account.Accounts
	// Bound is how old a node's view may be.
	Bound time.Duration
	Log   *slog.Logger
}

// A demo is the two nodes and the one user.
type demo struct {
	config   Config
	nodes    []*node
	user     string
	password string

	mu    sync.Mutex // one visitor at a time
	token string     // empty: John is not logged in
	life  time.Time  // until then the token is good by itself
	trial *pages.DemoTrial
}

// Run starts the nodes and serves the page until ctx ends.
func Run(ctx context.Context, c Config) (err error) {
	d := &demo{config: c, user: "john-" + rand.Text()[:6], password: rand.Text()}
	if _, err := c.Accounts.Add(ctx, d.user, d.password); err != nil {
		return fmt.Errorf("demo: add the user: %w", err)
	}
	defer func() {
		for _, n := range d.nodes {
			err = errors.Join(err, n.close())
		}
	}()
	url := "http://localhost:" + fmt.Sprint(c.Listener.Addr().(*net.TCPAddr).Port)
	secret := new([32]byte)
	rand.Read(secret[:])
	for _, name := range []string{"Node A", "Node B"} {
		n, err := startNode(ctx, name, url, secret, c)
		if err != nil {
			return err
		}
		d.nodes = append(d.nodes, n)
	}
	return d.serve(ctx)
}

func (d *demo) serve(ctx context.Context) error {
	h := &http.Server{Handler: d.routes(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { h.Close() })() // nothing is lost: its error says so
	if err := h.Serve(d.config.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
