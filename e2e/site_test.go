package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	password = "violet otters juggle 27 anchors"
	another  = "amber herons borrow 61 kettles"
)

// A site is a directory with a database, and the processes that serve it.
type site struct {
	t       testing.TB
	dir     string
	secrets *secrets
}

// newSite makes a site with these users, who all have the same password. When
// the test ends, its processes have ended, and no secret stands in what they
// printed.
func newSite(t testing.TB, users ...string) *site {
	t.Helper()
	check(t, lookAtSources())
	s := &site{t: t, dir: t.TempDir(), secrets: &secrets{}}
	s.secrets.add("a password", password, another)
	for _, name := range users {
		s.must(s.commandWith(password, "user", "add", name, "--password-stdin"))
	}
	return s
}

func (s *site) database() string { return filepath.Join(s.dir, "counterfoil.db") }

// An outcome is how a command ended.
type outcome struct {
	command        string
	status         int
	stdout, stderr string
}

// command runs a command on the site's store, to its end.
func (s *site) command(args ...string) outcome {
	s.t.Helper()
	return s.commandWith("", args...)
}

func (s *site) commandWith(stdin string, args ...string) outcome {
	s.t.Helper()
	cmd := s.prepare(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	o := outcome{strings.Join(args, " "), cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	s.secrets.mustNotBeIn(s.t, "what "+o.command+" printed", o.stdout+o.stderr)
	return o
}

// prepare makes the command, without starting it. The store comes first, so that
// a test can name another.
func (s *site) prepare(args ...string) *exec.Cmd {
	cmd := exec.Command(program, append([]string{"--store=sqlite:" + s.database()}, args...)...)
	cmd.Dir = s.dir
	return cmd
}

// must returns what a command printed, which has to succeed.
func (s *site) must(o outcome) string {
	s.t.Helper()
	if o.status != 0 {
		s.t.Fatalf("%s: exit status %d\n%s", o.command, o.status, o.stderr)
	}
	return o.stdout
}

// A process is "counterfoil serve", running.
type process struct {
	t       testing.TB
	cmd     *exec.Cmd
	url     string // where it says that it listens
	log     *printed
	secrets *secrets
	ended   chan struct{} // closed once the process has ended
}

// serve starts a server on a free port and waits until it accepts connections.
// If it still runs when the test ends, it is stopped.
func (s *site) serve(flags ...string) *process {
	s.t.Helper()
	return s.start(s.prepare(append([]string{"serve", "--listen=localhost:0"}, flags...)...))
}

const startTimeout = 30 * time.Second // generous: other tests may use the machine, too

func (s *site) start(cmd *exec.Cmd) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: cmd, log: &printed{}, secrets: s.secrets, ended: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	check(s.t, err)
	check(s.t, cmd.Start())
	listening := make(chan string, 1)
	go func() {
		defer close(p.ended)
		p.log.read(bufio.NewScanner(stderr), listening)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	s.t.Cleanup(p.cleanUp)
	select {
	case p.url = <-listening:
	case <-p.ended:
		s.t.Fatalf("the server ended at its start:\n%s", p.log)
	case <-time.After(startTimeout):
		s.t.Fatalf("the server does not listen after %v:\n%s", startTimeout, p.log)
	}
	return p
}

// stop ends the process as an operator does: SIGTERM drains and exits 0.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("after SIGTERM: %v, want exit status 0\n%s", p.cmd.ProcessState, p.log)
	}
}

// kill ends the process as a power cut does.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	check(p.t, p.cmd.Process.Signal(s))
	select {
	case <-p.ended:
	case <-time.After(startTimeout):
		p.t.Errorf("the server still runs %v after %v:\n%s", startTimeout, s, p.log)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *process) cleanUp() {
	select {
	case <-p.ended:
	default:
		p.stop()
	}
	log := p.log.String()
	p.secrets.mustNotBeIn(p.t, "the log", log)
	if strings.Contains(log, "goroutine ") {
		p.t.Errorf("the server panicked:\n%s", log)
	}
}

// setupLink is the address at which the first user can be made, as the server
// printed it, or empty.
func (p *process) setupLink() string {
	return regexp.MustCompile(`http://localhost:\d+/setup\?code=\w+`).FindString(p.log.String())
}

// printed is what a process prints, while it prints.
type printed struct {
	mu   sync.Mutex
	text strings.Builder
}

var listeningLine = regexp.MustCompile(`msg=listening .*\burl=(\S+)`)

// read copies lines to their end, and passes on the first URL that the server
// says it listens at.
func (b *printed) read(lines *bufio.Scanner, listening chan<- string) {
	for lines.Scan() {
		b.mu.Lock()
		b.text.WriteString(lines.Text() + "\n")
		b.mu.Unlock()
		if m := listeningLine.FindStringSubmatch(lines.Text()); m != nil {
			select {
			case listening <- m[1]:
			default:
			}
		}
	}
}

func (b *printed) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// databaseBytes is everything that the database keeps on disk.
func (s *site) databaseBytes() string {
	s.t.Helper()
	var all strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(s.database() + suffix)
		if !errors.Is(err, os.ErrNotExist) {
			check(s.t, err)
		}
		all.Write(raw)
	}
	return all.String()
}
