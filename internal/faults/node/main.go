// Command node is one process of the histories of package faults: a node that
// runs counterfoil.Manager on a store, or a verifier that follows a node.
//
//	node serve -store URL -listen ADDRESS -bound 500ms
//	node verify -via ADDRESS -listen ADDRESS -bound 500ms
//
// Both answer GET /check with 200, 401 or 503. It trusts whoever reaches it and
// is of no use outside of these tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are those of both commands.
type options struct {
	store  string        // a URL; of a node
	via    string        // the address of a node; of a verifier
	listen string        // address
	bound  time.Duration // Δ
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say serve or verify")
	}
	var o options
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.StringVar(&o.store, "store", "", "the store's URL")
	flags.StringVar(&o.via, "via", "", "the address of the node to follow")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "where to listen")
	flags.DurationVar(&o.bound, "bound", 500*time.Millisecond, "how old the view of logouts may be")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	open, known := map[string]func(context.Context, options) (http.Handler, io.Closer, error){
		"serve":  openNode,
		"verify": openVerifier,
	}[args[0]]
	if !known {
		return fmt.Errorf("unknown command %q: say serve or verify", args[0])
	}
	handler, closer, err := open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, o.listen, handler), closer.Close())
}

// serve answers requests until ctx ends. The first line on standard output is
// the address.
func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() }) // open streams would make an orderly end wait
	fmt.Println(listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// closers are closed in order.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
