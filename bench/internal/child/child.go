// Package child starts this program again, as a process for one purpose: so that
// what it measures shares neither a heap nor a collector with anything else.
//
//	func main() {
//		child.Run(map[string]child.Main{"server": serve})
//		…
//		p, err := child.Start("server", "argument")
//
// Both talk in lines of JSON.
package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A Main is what a child does, with the arguments that Start was given. It ends
// when its standard input does.
type Main func(args []string) error

// variable says which child a process is.
const variable = "COUNTERFOIL_BENCH_CHILD"

// Run is to be called first in main: it does not return where this process was
// started as a child.
func Run(mains map[string]Main) {
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	do, ok := mains[name]
	if !ok {
		do = func([]string) error { return errors.New("there is no such child") }
	}
	if err := do(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", name+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A Process is a child, or another program. Its methods are not for concurrent
// use.
type Process struct {
	Cmd *exec.Cmd
	in  io.WriteCloser // its end tells a child to stop; nil: it is none
	out *json.Decoder
}

// Start starts a child.
func Start(name string, args ...string) (*Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), variable+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{Cmd: cmd, in: in, out: json.NewDecoder(out)}, nil
}

// Tell sends a child a line.
func (p *Process) Tell(what any) error { return json.NewEncoder(p.in).Encode(what) }

// Hear reads the next line that a child says.
func (p *Process) Hear(what any) error { return p.out.Decode(what) }

// HangUp ends a child's standard input. What it says last can still be heard.
func (p *Process) HangUp() error { return p.in.Close() }

// Stop ends the process in order, and after a while in any way.
func (p *Process) Stop() error {
	if p.in != nil {
		_ = p.in.Close() // it may be closed already
	} else if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.AfterFunc(15*time.Second, func() { p.Cmd.Process.Kill() })
	defer late.Stop()
	return p.Cmd.Wait()
}
