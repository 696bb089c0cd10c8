//go:build unix

package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const (
	signalStop      = syscall.SIGINT  // of PostgreSQL: end all connections, then end
	signalTerminate = syscall.SIGTERM // of Redis
	signalReload    = syscall.SIGHUP
)

// ordinary is the user as whom servers run where the tests run as root, which
// PostgreSQL refuses; nil: as whoever runs the tests.
var ordinary = sync.OnceValues(func() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
	}
	return nil, errors.New("there is no user postgres or nobody to run a server as: run the tests as an ordinary user")
})

// confine has a command run as an ordinary user, in a process group of its own:
// a Ctrl-C at the terminal is for the tests, who end it in order.
func confine(cmd *exec.Cmd) error {
	credential, err := ordinary()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	return err
}

func giveAway(dir string) error {
	credential, err := ordinary()
	if err != nil || credential == nil {
		return err
	}
	return os.Chown(dir, int(credential.Uid), int(credential.Gid))
}

// family returns a server's process and those that it has started.
func (p *process) family() ([]int, error) {
	pids := []int{p.Pid}
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(p.Pid)).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return pids, nil // there are none
	} else if err != nil {
		return nil, fmt.Errorf("pgrep (package procps): %w", err)
	}
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// signalAll sends a signal to the server and to every process that it has
// started: to itself first, so that it starts no more.
func (p *process) signalAll(signal syscall.Signal) error {
	if err := syscall.Kill(p.Pid, signal); err != nil {
		return err
	}
	pids, err := p.family()
	if err != nil {
		return err
	}
	for _, pid := range pids[1:] {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

func (p *process) pause() error  { return p.signalAll(syscall.SIGSTOP) }
func (p *process) resume() error { return p.signalAll(syscall.SIGCONT) }

// killAll kills the server and its processes. It is stopped first, so that it
// neither starts others nor sees them die; if one is missed all the same, that
// ends by itself when the server is gone.
func (p *process) killAll() error {
	if err := syscall.Kill(p.Pid, syscall.SIGSTOP); err != nil {
		return err
	}
	pids, err := p.family()
	if err != nil {
		return err
	}
	for _, pid := range slices.Backward(pids) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	<-p.exited
	return nil
}
