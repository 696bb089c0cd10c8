package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/counterfoil/counterfoil/internal/demo"
	"github.com/counterfoil/counterfoil/server/account"
)

type demoCmd struct {
	Listen string        `default:"localhost:8080" env:"COUNTERFOIL_LISTEN" placeholder:"HOST:PORT" help:"Where to show the page; loopback only, port 0 picks one. Default: localhost:8080 (${env})."`
	Bound  time.Duration `default:"2s" env:"COUNTERFOIL_BOUND" help:"How old a node's view of logouts may be (${env})."`
}

// Validate is called by kong after parsing.
func (c *demoCmd) Validate() error { return checkBound(c.Bound, 10*time.Millisecond) }

// Run shows two nodes side by side. Without a --store of its own it makes a
// SQLite file for the time that it runs.
func (c *demoCmd) Run(ctx context.Context, o *options) (err error) {
	listener, err := listen(c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close() // the demo has closed it already, unless we don't get there
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return usagef("--listen %s: the demo is for this machine alone: listen on localhost", c.Listen)
	}
	dir, err := os.MkdirTemp("", "counterfoil-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := demo.Config{Listener: listener, Bound: c.Bound, Log: slog.Default()}
	if config.Open, config.Store, err = o.openGuest(dir); err != nil {
		return err
	}
	config.Accounts, err = account.Open(ctx, filepath.Join(dir, "accounts.db"), account.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, config.Accounts.Close()) }()
	slog.Info("listening", "url", origin("localhost", listener.Addr().(*net.TCPAddr).Port))
	return demo.Run(ctx, config)
}
