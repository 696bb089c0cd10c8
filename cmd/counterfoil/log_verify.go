package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

type logCmd struct {
	Verify logVerifyCmd `cmd:"" help:"Check that nobody has changed a log that serve wrote."`
}

type logVerifyCmd struct {
	File string `arg:"" optional:"" help:"The log. Default: standard input."`
}

func (c *logVerifyCmd) Run(_ context.Context, o *options) error {
	path, err := o.secretPath()
	if err != nil {
		return err
	}
	secret, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) { // a new one has written no log
		return usagef("there is no secret file %s: give the one of the server by --secret-file", path)
	}
	if err != nil {
		return err
	}
	var log io.Reader = os.Stdin
	if c.File != "" {
		opened, err := os.Open(c.File)
		if err != nil {
			return usageError{err}
		}
		defer opened.Close()
		log = opened
	}
	lines, runs, err := verifyLog(log, secret)
	if err != nil {
		return err
	}
	if lines == 0 {
		return errors.New("no line here has a chain: this is no log that serve wrote to a file or a pipe")
	}
	fmt.Printf("intact: lines %d, runs of serve %d\n", lines, runs)
	return nil
}
