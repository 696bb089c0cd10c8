package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

type logCmd struct {
	Verify logVerifyCmd `cmd:"" help:"Check that nobody has changed a log that serve wrote."`
}

type logVerifyCmd struct {
	File string `arg:"" optional:"" help:"The log. Default: standard input."`
}

func (c *logVerifyCmd) Run(_ context.Context, o *options) error {
	file, err := o.loadSecret()
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
	lines, runs, err := verifyLog(log, file.secret)
	if err != nil {
		return err
	}
	if lines == 0 {
		return errors.New("no line here has a chain: this is no log that serve wrote to a file or a pipe")
	}
	fmt.Printf("intact: %d lines of %d runs of serve\n", lines, runs)
	return nil
}
