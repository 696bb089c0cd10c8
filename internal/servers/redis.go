package servers

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// RedisProgram names the environment variable with the server to test with, by
// its name or path. Empty: redis-server. Another is valkey-server.
const RedisProgram = "COUNTERFOIL_TEST_REDIS"

// Redis returns the URL of the Redis server that the tests of a process share,
// and a prefix for the caller's keys. The server writes to the disk before it
// answers, and evicts nothing.
func Redis(tb testing.TB) (url, prefix string) {
	tb.Helper()
	s, err := sharedRedis()
	if err != nil {
		tb.Fatalf("servers: Redis: %v", err)
	}
	return s.URL(), "test-" + rand.Text()
}

var sharedRedis = sync.OnceValues(func() (*RedisServer, error) {
	s, err := newRedis(nil)
	if err != nil {
		return nil, err
	}
	shared.add(s.remove)
	return s, s.start()
})

// A RedisServer is a Redis server of a test's own. Its methods end the test
// where they fail: call them from the goroutine of the test.
type RedisServer struct {
	tb       testing.TB // nil: the shared one
	dir      string     // holds redis.conf, data, and the log
	port     int
	password string
	arg      string   // besides the file of settings: "--sentinel", or nothing
	process  *process // nil: it does not run
}

// StartRedis starts a server with the settings of redis.conf that are given;
// a value is written as it would be there. It ends with the test.
func StartRedis(tb testing.TB, settings map[string]string) *RedisServer {
	tb.Helper()
	s, err := newRedis(settings)
	if err != nil {
		tb.Fatalf("servers: Redis: %v", err)
	}
	return s.own(tb)
}

// StartSentinel starts a Sentinel that watches the server as "primary" and
// makes its replica the primary after it was away for a second.
func (s *RedisServer) StartSentinel() *RedisServer {
	s.tb.Helper()
	sentinel, err := newServer("sentinel")
	s.check(err)
	sentinel.arg = "--sentinel"
	s.check(sentinel.writeSettings(
		"port "+strconv.Itoa(sentinel.port),
		"bind 127.0.0.1",
		"dir "+sentinel.data(),
		"requirepass "+sentinel.password,
		fmt.Sprintf("sentinel monitor primary 127.0.0.1 %d 1", s.port),
		"sentinel auth-pass primary "+s.password,
		"sentinel down-after-milliseconds primary 1000",
		"sentinel failover-timeout primary 5000",
	))
	return sentinel.own(s.tb)
}

// own starts the server for one test.
func (s *RedisServer) own(tb testing.TB) *RedisServer {
	tb.Helper()
	s.tb = tb
	tb.Cleanup(func() { s.check(s.remove()) })
	s.Start()
	return s
}

// StartReplica starts a replica of the server, and returns when it follows.
func (s *RedisServer) StartReplica(settings map[string]string) *RedisServer {
	s.tb.Helper()
	all := map[string]string{
		"replicaof":                "127.0.0.1 " + strconv.Itoa(s.port),
		"masterauth":               s.password,
		"requirepass":              s.password, // so that one URL fits whoever is the primary
		"repl-diskless-sync-delay": "0",
	}
	maps.Copy(all, settings)
	replica := StartRedis(s.tb, all)
	s.check(replica.process.waitReady(func(ctx context.Context) error {
		info, err := replica.command(ctx, "INFO")
		if err == nil && !(strings.Contains(info, "master_link_status:up") && strings.Contains(info, "aof_rewrite_in_progress:0")) {
			err = errors.New("the replica does not follow yet")
		}
		return err
	}))
	return replica
}

func (s *RedisServer) check(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("servers: Redis: %v", err)
	}
}

// Address is the server's host and port.
func (s *RedisServer) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Password is the password of the server's default user.
func (s *RedisServer) Password() string { return s.password }

// URL is the server's URL, with the password.
func (s *RedisServer) URL() string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword("default", s.password), Host: s.Address()}).String()
}

// Start starts the server again, on the same directory and port, and returns
// when it has loaded its data.
func (s *RedisServer) Start() {
	s.tb.Helper()
	s.check(s.start())
}

// Stop stops the server in order.
func (s *RedisServer) Stop() {
	s.tb.Helper()
	s.check(s.stop())
}

// Kill ends the server with SIGKILL.
func (s *RedisServer) Kill() {
	s.tb.Helper()
	s.check(s.process.killAll())
	s.process = nil
}

// Pause stops the server with SIGSTOP: it holds its connections and answers
// nothing.
func (s *RedisServer) Pause() {
	s.tb.Helper()
	s.check(s.process.pause())
}

// Resume lets a paused server go on.
func (s *RedisServer) Resume() {
	s.tb.Helper()
	s.check(s.process.resume())
}

// Do runs a command as the default user and returns the answer as text.
func (s *RedisServer) Do(command ...string) string {
	s.tb.Helper()
	answer, err := s.command(s.tb.Context(), command...)
	s.check(err)
	return answer
}

// Backup copies the data of the server. It is stopped for it.
func (s *RedisServer) Backup() Backup {
	s.tb.Helper()
	dir, err := newDir("backup")
	s.check(err)
	s.tb.Cleanup(func() { s.check(os.RemoveAll(dir)) })
	b := Backup{filepath.Join(dir, "data")}
	s.Stop()
	s.check(copyAll(s.data(), b.dir))
	s.Start()
	return b
}

// Restore replaces the data of the server by a copy. It is stopped for it.
func (s *RedisServer) Restore(b Backup) {
	s.tb.Helper()
	s.Stop()
	s.check(os.RemoveAll(s.data()))
	s.check(copyAll(b.dir, s.data()))
	s.Start()
}

// newServer makes the directory of a server.
func newServer(name string) (*RedisServer, error) {
	dir, err := newDir(name)
	if err != nil {
		return nil, err
	}
	s := &RedisServer{dir: dir, password: rand.Text()}
	err = os.Mkdir(s.data(), 0o700)
	if err == nil {
		err = giveAway(s.data())
	}
	if err == nil {
		s.port, err = freePort()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func newRedis(settings map[string]string) (*RedisServer, error) {
	s, err := newServer("redis")
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"bind":             "127.0.0.1",
		"port":             strconv.Itoa(s.port),
		"dir":              s.data(),
		"requirepass":      s.password,
		"appendonly":       "yes",
		"appendfsync":      "always",
		"save":             `""`,
		"maxmemory-policy": "noeviction",
	}
	maps.Copy(all, settings)
	s.password = all["requirepass"]
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, name+" "+all[name])
	}
	if err := s.writeSettings(lines...); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// writeSettings writes the file of settings, once: the server itself changes
// it, as when a Sentinel tells it whom to follow.
func (s *RedisServer) writeSettings(lines ...string) error {
	if err := os.WriteFile(s.settings(), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return giveAway(s.settings())
}

func (s *RedisServer) settings() string { return filepath.Join(s.dir, "redis.conf") }
func (s *RedisServer) data() string     { return filepath.Join(s.dir, "data") }

func (s *RedisServer) start() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start: %w\n%s", err, lastWords(s.dir))
		}
	}()
	name := os.Getenv(RedisProgram)
	if name == "" {
		name = "redis-server"
	}
	program, err := find(name, "apt-get install redis-server")
	if err != nil {
		return err
	}
	args := []string{s.settings()}
	if s.arg != "" {
		args = append(args, s.arg)
	}
	cmd := exec.Command(program, args...)
	cmd.Args[0] = name // it looks at its own name
	cmd.Dir = s.dir
	if s.process, err = start(cmd, filepath.Join(s.dir, "log")); err != nil {
		return err
	}
	return s.process.waitReady(func(ctx context.Context) error {
		_, err := s.command(ctx, "PING")
		return err
	})
}

func (s *RedisServer) stop() error {
	if s.process == nil {
		return nil
	}
	err := s.process.stop(signalTerminate)
	s.process = nil
	return err
}

// remove ends the server and deletes its files. It is killed: one that writes
// its first file refuses to stop, and nothing is to be kept.
func (s *RedisServer) remove() (err error) {
	if s.process != nil {
		select {
		case <-s.process.exited: // it did not even start
		default:
			err = s.process.killAll()
		}
		s.process = nil
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// command runs a command on a connection of its own.
func (s *RedisServer) command(ctx context.Context, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return "", err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	if _, err := ask(c, r, "AUTH", s.password); err != nil {
		return "", err
	}
	return ask(c, r, command...)
}

// ask writes a command and reads the answer as text, a line for each element of
// a list.
func ask(w io.Writer, r *bufio.Reader, command ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, arg := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return "", err
	}
	return readAnswer(r)
}

func readAnswer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, text := line[0], strings.TrimSpace(line[1:])
	switch kind {
	case '-':
		return "", errors.New(text)
	case '+', ':':
		return text, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return string(b[:n]), err
	}
	var lines []string
	for range n {
		element, err := readAnswer(r)
		if err != nil {
			return "", err
		}
		lines = append(lines, element)
	}
	return strings.Join(lines, "\n"), nil
}

// lastWords returns the end of the log in a server's directory.
func lastWords(dir string) string {
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4000):])
}
