package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is every command and flag.
type cli struct {
	options

	Serve   serveCmd   `cmd:"" help:"Serve the pages and the API."`
	User    userCmd    `cmd:"" help:"Add, list and change users."`
	Session sessionCmd `cmd:"" help:"List and end sessions."`
	Client  clientCmd  `cmd:"" help:"Add, list and remove services that check tokens, or are told of logouts."`
	Outbox  outboxCmd  `cmd:"" help:"See which ended sessions services have not been told of, and try again."`
	Keys    keysCmd    `cmd:"" help:"List and rotate the keys that sign tokens."`
	Log     logCmd     `cmd:"" help:"Check a log for changes."`
	Bench   benchCmd   `cmd:"" help:"Measure."`
	Demo    demoCmd    `cmd:"" help:"Show what a logout on one node means on another."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// options are the flags that every command takes.
type options struct {
	Store      string          `default:"sqlite:counterfoil.db" env:"COUNTERFOIL_STORE" placeholder:"STORE" help:"Where sessions are kept: sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE, redis://USER:PASSWORD@HOST, or memory:. Default: sqlite:counterfoil.db. Give what holds a password by the variable: others on this machine see flags (${env})."`
	Accounts   string          `env:"COUNTERFOIL_ACCOUNTS" placeholder:"STORE" help:"Where users are kept: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE. Default: the store, where it is SQL, else sqlite:counterfoil.db (${env})."`
	SecretFile string          `env:"COUNTERFOIL_SECRET_FILE" placeholder:"PATH" help:"What encrypts the signing keys. Made where it is missing. Servers on one store share it. Default: counterfoil.secret beside the database, or in the working directory where that is no file (${env})."`
	Config     kong.ConfigFlag `env:"COUNTERFOIL_CONFIG" placeholder:"PATH" help:"A file with lines such as listen=localhost:8080, under the names of these flags (${env})."`
}

// A usageError is a mistake in how the program was called. It exits with 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is main without the exit: 0 is success, 1 failure, 2 a bad flag, store or
// secret.
func run(args []string) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	var c cli
	parser := kong.Must(&c,
		kong.Name("counterfoil"),
		kong.Description("Sessions, CSRF protection and JWTs, with a logout that is true."),
		kong.Configuration(parseConfig),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&c.options),
	)
	switch {
	case len(args) == 0:
		return report(usagef("say what to do: counterfoil --help lists the commands"))
	case len(args) == 1 && args[0] == "--version": // as many programs have it
		args = []string{"version"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		return report(usageError{err})
	}
	return report(command.Run())
}

// report tells what went wrong in one line and returns the exit status.
func report(err error) int {
	if err == nil {
		return 0
	}
	line := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\t' }), " ")
	fmt.Fprintln(os.Stderr, "counterfoil:", strings.TrimPrefix(line, "counterfoil: "))
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}
