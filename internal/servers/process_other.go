//go:build !unix

package servers

import (
	"errors"
	"os"
	"os/exec"
)

var errNotUnix = errors.New("tests with servers run on Unix systems only")

var (
	signalStop      = os.Interrupt
	signalTerminate = os.Interrupt
	signalReload    = os.Interrupt
)

func confine(*exec.Cmd) error     { return errNotUnix }
func giveAway(string) error       { return errNotUnix }
func (p *process) pause() error   { return errNotUnix }
func (p *process) resume() error  { return errNotUnix }
func (p *process) killAll() error { return errNotUnix }
