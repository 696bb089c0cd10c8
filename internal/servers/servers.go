// Package servers runs real database servers for tests: private ones, on
// loopback, that end with the test process.
//
//	func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }
//
//	url := servers.Postgres(t) // of a new, empty database
//
// A test that stops, kills or pauses a server starts one of its own: see
// [StartPostgres]. Where a server is not installed the test fails and says what
// to install.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// startTime is how long a server may take to start or to stop.
const startTime = time.Minute

// Run runs the tests, ends the servers that they shared, and returns the code
// to exit with.
func Run(m *testing.M) int {
	code := m.Run()
	if err := shared.end(); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		return max(code, 1)
	}
	return code
}

// shared are the servers that live as long as the test process.
var shared endings

type endings struct {
	mu  sync.Mutex
	all []func() error
}

func (e *endings) add(end func() error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, end)
}

func (e *endings) end() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, end := range e.all {
		errs = append(errs, end())
	}
	e.all = nil
	return errors.Join(errs...)
}

// A process is a server that runs.
type process struct {
	*os.Process
	exited chan struct{} // closed when it has ended
}

// start starts a server as an ordinary user, with its output in a file. On
// Linux the server dies with this process, however that ends.
func start(cmd *exec.Cmd, output string) (*process, error) {
	out, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the server has it, too
	cmd.Stdout, cmd.Stderr = out, out
	if err := confine(cmd); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	started := make(chan error)
	go func() {
		// Linux sends the signal of the parent's death when the thread ends
		// that started the server: this one stays until the server has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // how it ended is seen by whoever waits for it
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return &process{cmd.Process, exited}, nil
}

// stop sends a signal and waits until the server has ended.
func (p *process) stop(signal os.Signal) error {
	if err := p.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(startTime):
		return errors.Join(fmt.Errorf("process %d did not stop on %v within %v", p.Pid, signal, startTime), p.Kill())
	}
}

var errEnded = errors.New("the server ended while it started")

// waitReady asks until the server answers.
func (p *process) waitReady(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%w: %w", errEnded, err)
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready after %v: %w", startTime, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freePort returns a TCP port of loopback that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// newDir makes a directory for a server's files that belongs to the user as whom it
// runs. [testing.TB.TempDir] does not do: no other user can enter it.
func newDir(name string) (string, error) {
	dir, err := os.MkdirTemp("", "counterfoil-"+name+"-")
	if err != nil {
		return "", err
	}
	return dir, giveAway(dir)
}

// find finds a program in PATH or in one of the places given as patterns.
func find(program, hint string, elsewhere ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return filepath.EvalSymlinks(path)
	}
	for _, pattern := range elsewhere {
		if found, _ := filepath.Glob(filepath.Join(pattern, program)); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not installed: %s, or run scripts/install-tools.sh", program, hint)
}
