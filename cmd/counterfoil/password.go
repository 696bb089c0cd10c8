package main

import (
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
func (f passwordFlag) read() (string, error) {
	if f.PasswordStdin {
		return readLine(os.Stdin)
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", usagef("there is no terminal to ask for the password: use --password-stdin")
	}
	password, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	again, err := ask("Once more: ")
	if err != nil {
		return "", err
	}
	if password != again {
		return "", errors.New("the passwords differ")
	}
	return password, nil
}

func ask(prompt string) (string, error) {
	fmt.Fprint(os.Stderr, prompt)
	typed, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	return string(typed), err
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
