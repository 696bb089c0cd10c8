package sockets

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a child that has said a line of JSON when it was ready.
type process struct {
	cmd *exec.Cmd
	in  interface{ Close() error } // its end tells the child to stop
}

// childVariable makes this program one of the children.
const childVariable = "COUNTERFOIL_BENCH_CHILD"

// Child is to be called first in main: it serves, and does not return, where
// this process was started as a child.
func Child() {
	name := os.Getenv(childVariable)
	if name == "" {
		return
	}
	if err := runChild(name); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", name+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// startChild starts this program again as the named child and reads what it
// says when it is ready.
func startChild(name string, ready any, args ...string) (*process, error) {
	p, _, err := startReading(name, ready, args...)
	return p, err
}

// startReading is startChild for a child that will say more.
func startReading(name string, ready any, args ...string) (*process, *bufio.Reader, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	p := &process{cmd: cmd, in: in}
	reader := bufio.NewReader(out)
	line, err := reader.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, ready)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s did not start: %w", name, err), p.stop())
	}
	return p, reader, nil
}

// stop ends the process in order, and after a while in any way.
func (p *process) stop() error {
	if p.in != nil {
		p.in.Close()
	} else if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.AfterFunc(15*time.Second, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	return p.cmd.Wait()
}

// cpu is the processor time that the process has taken, with that of its
// threads which have ended: user and system, in the kernel's ticks of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in brackets, which may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat can't be read")
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / 100), errors.Join(err1, err2)
}
