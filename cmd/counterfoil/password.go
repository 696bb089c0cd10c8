package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/counterfoil/counterfoil/server/account"
)

// passwordFlag is for commands that set a password.
type passwordFlag struct {
	PasswordStdin bool `help:"Read the password from standard input, one line, instead of asking for it."`
}

// read returns the password as it was typed, without the end of its line.
func (f passwordFlag) read(ctx context.Context) (string, error) {
	if f.PasswordStdin {
		return readLine(os.Stdin)
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", usagef("there is no terminal to ask for the password: use --password-stdin")
	}
	password, err := ask(ctx, fmt.Sprintf("Password (%d characters or more): ", account.MinPassword))
	if err != nil {
		return "", err
	}
	again, err := ask(ctx, "Once more: ")
	if err != nil {
		return "", err
	}
	if password != again {
		return "", errors.New("the passwords differ")
	}
	return password, nil
}

// ask reads a line from the terminal without showing it. Ctrl-C ends the wait,
// and the terminal shows again what is typed; the reading goroutine ends with
// the process, which has nothing else to do then.
func ask(ctx context.Context, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return string(l.text), l.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), term.Restore(fd, before))
	}
}

// readLine reads the whole input, which may be one line. Only its end is taken
// off: spaces are part of the password.
func readLine(r io.Reader) (string, error) {
	input, err := io.ReadAll(io.LimitReader(r, account.MaxPassword+3))
	if err != nil {
		return "", err
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(input), "\n"), "\r")
	if strings.Contains(line, "\n") {
		return "", errors.New("the password takes one line")
	}
	return line, nil
}
