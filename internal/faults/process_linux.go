package faults

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A Process is a node or a verifier: the program of package node. Its methods
// are called by one goroutine at a time.
type Process struct {
	Name string

	program string
	args    []string
	env     []string
	log     string // a file
	address string // once it was started; it keeps it

	running *os.Process
	exited  chan struct{} // closed when it has ended
}

// Start starts the process, or starts it again, and returns when it listens.
func (p *Process) Start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has it, too
	cmd := exec.Command(p.program, p.args...)
	if p.address != "" {
		cmd.Args = append(cmd.Args, "-listen", p.address)
	}
	cmd.Env, cmd.Stderr = append(os.Environ(), p.env...), log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.begin(cmd); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return errors.Join(fmt.Errorf("faults: %s does not listen: %w\n%s", p.Name, err, p.lastWords()), p.Kill())
	}
	if p.address == "" { // clients read it while the process starts again
		p.address = strings.TrimSpace(line)
	}
	return nil
}

// begin starts the command in a goroutine with a thread of its own: Linux ends
// the process when the thread ends that has started it.
func (p *Process) begin(cmd *exec.Cmd) error {
	started, exited := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_, _ = cmd.Process.Wait() // not cmd.Wait, which closes the pipe under the reader
			close(exited)
		}
	}()
	err := <-started
	p.running, p.exited = cmd.Process, exited
	return err
}

// Kill ends the process with SIGKILL.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL) }

// Stop ends the process in order.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM) }

// Pause stops the process with SIGSTOP.
func (p *Process) Pause() error { return p.running.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.running.Signal(syscall.SIGCONT) }

func (p *Process) end(s os.Signal) error {
	if p.running == nil {
		return nil
	}
	if err := p.running.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		p.running = nil
		return nil
	case <-time.After(15 * time.Second):
		return errors.Join(fmt.Errorf("faults: %s does not end on %v", p.Name, s), p.running.Kill())
	}
}

// lastWords is the end of what the process has logged.
func (p *Process) lastWords() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-4000), io.SeekStart)
	}
	b, _ := io.ReadAll(f)
	return string(b)
}
