package sockets

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/child"
)

// A process is a server, or a crowd of clients.
type process struct{ *child.Process }

// startChild starts a child and reads what it says when it is ready.
func startChild(name string, ready any, args ...string) (*process, error) {
	c, err := child.Start(name, args...)
	if err != nil {
		return nil, err
	}
	if err := c.Hear(ready); err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start: %w", name, err), c.Stop())
	}
	return &process{c}, nil
}

// cpu is the processor time that the process has taken, with that of its
// threads which have ended: user and system, in the kernel's ticks of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Cmd.Process.Pid))
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
