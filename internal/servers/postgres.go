package servers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

	"github.com/jackc/pgx/v5"
)

// Postgres returns the URL of a new, empty database on the PostgreSQL server
// that the tests of a process share. It is dropped when the test ends. The
// server commits to the disk, as it does by default.
func Postgres(tb testing.TB) string {
	tb.Helper()
	s, err := sharedPostgres()
	if err != nil {
		tb.Fatalf("servers: PostgreSQL: %v", err)
	}
	return s.newDatabase(tb)
}

var sharedPostgres = sync.OnceValues(func() (*PostgresServer, error) {
	s, err := newPostgres(nil)
	if err != nil {
		return nil, err
	}
	shared.add(s.remove)
	return s, s.start()
})

// A PostgresServer is a PostgreSQL server of a test's own. Its methods end the
// test where they fail: call them from the goroutine of the test.
type PostgresServer struct {
	tb       testing.TB // nil: the shared one
	dir      string     // holds data, and the log
	port     int
	password string
	settings map[string]string
	process  *process // nil: it does not run
}

// StartPostgres starts a server with the settings of postgresql.conf that are
// given. It ends with the test.
func StartPostgres(tb testing.TB, settings map[string]string) *PostgresServer {
	tb.Helper()
	s, err := newPostgres(settings)
	if err != nil {
		tb.Fatalf("servers: PostgreSQL: %v", err)
	}
	s.tb = tb
	tb.Cleanup(func() { s.check(s.remove()) })
	s.Start()
	return s
}

// check ends the test where a step failed, with what the server said.
func (s *PostgresServer) check(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("servers: PostgreSQL: %v", err)
	}
}

// Database returns the URL of a new, empty database.
func (s *PostgresServer) Database() string {
	s.tb.Helper()
	return s.newDatabase(s.tb)
}

// Start starts the server again, on the same directory and port, and returns
// when it takes connections.
func (s *PostgresServer) Start() {
	s.tb.Helper()
	s.check(s.start())
}

// Stop stops the server in order: connections end, a checkpoint is written.
func (s *PostgresServer) Stop() {
	s.tb.Helper()
	s.check(s.stop())
}

// Kill ends all of the server's processes with SIGKILL.
func (s *PostgresServer) Kill() {
	s.tb.Helper()
	s.check(s.process.killAll())
	s.process = nil
}

// Pause stops all of the server's processes with SIGSTOP: it holds its
// connections and answers nothing.
func (s *PostgresServer) Pause() {
	s.tb.Helper()
	s.check(s.process.pause())
}

// Resume lets a paused server go on.
func (s *PostgresServer) Resume() {
	s.tb.Helper()
	s.check(s.process.resume())
}

// Set changes a setting of postgresql.conf that needs no restart, for all
// connections, and returns when new ones have it.
func (s *PostgresServer) Set(name, value string) {
	s.tb.Helper()
	before, err := s.configured(s.tb.Context())
	s.check(err)
	s.settings[name] = value
	s.check(s.writeSettings())
	s.check(s.process.Signal(signalReload))
	s.check(s.process.waitReady(func(ctx context.Context) error {
		now, err := s.configured(ctx)
		if err == nil && now.Equal(before) {
			err = errors.New("the settings are the old ones")
		}
		return err
	}))
}

// configured tells when the server read its settings.
func (s *PostgresServer) configured(ctx context.Context) (at time.Time, err error) {
	err = s.admin(ctx, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT pg_conf_load_time()`).Scan(&at)
	})
	return at, err
}

// Standby starts a server that follows this one and can take its place. It
// ends with the test.
func (s *PostgresServer) Standby() *PostgresServer {
	s.tb.Helper()
	dir, err := newDir("standby")
	s.check(err)
	port, err := freePort()
	s.check(err)
	standby := &PostgresServer{tb: s.tb, dir: dir, port: port, password: s.password, settings: maps.Clone(s.settings)}
	s.tb.Cleanup(func() { s.check(standby.remove()) })
	program, err := postgresProgram("pg_basebackup")
	s.check(err)
	cmd := exec.Command(program, "--pgdata", standby.data(), "--dbname", s.url("postgres"), "--checkpoint", "fast", "--wal-method", "stream", "--no-sync")
	s.check(confine(cmd))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.check(fmt.Errorf("pg_basebackup: %w: %s", err, out))
	}
	signal := filepath.Join(standby.data(), "standby.signal")
	s.check(errors.Join(os.WriteFile(signal, nil, 0o600), giveAway(signal)))
	standby.settings["primary_conninfo"] = fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s", s.port, s.password)
	standby.Start()
	return standby
}

// Promote has a standby take the place of the server that it follows, and
// returns when it takes writes.
func (s *PostgresServer) Promote() {
	s.tb.Helper()
	s.check(s.admin(s.tb.Context(), func(c *pgx.Conn) error {
		var promoted bool
		err := c.QueryRow(s.tb.Context(), `SELECT pg_promote()`).Scan(&promoted)
		if err == nil && !promoted {
			err = errors.New("the standby was not promoted in time")
		}
		return err
	}))
}

// Same returns the URL of the same database on this server, from that on another.
func (s *PostgresServer) Same(database string) string {
	u, err := url.Parse(database)
	s.check(err)
	return s.url(strings.TrimPrefix(u.Path, "/"))
}

// Hosts joins the URLs of a database on several servers into one.
func Hosts(first string, more ...string) string {
	head, tail, _ := strings.Cut(first, "@")
	hosts, path, _ := strings.Cut(tail, "/")
	for _, m := range more {
		_, m, _ = strings.Cut(m, "@")
		host, _, _ := strings.Cut(m, "/")
		hosts += "," + host
	}
	return head + "@" + hosts + "/" + path
}

// A Backup is a copy of a server's data.
type Backup struct{ dir string }

// Backup copies the data of the server. It is stopped for it.
func (s *PostgresServer) Backup() Backup {
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
func (s *PostgresServer) Restore(b Backup) {
	s.tb.Helper()
	s.Stop()
	s.check(os.RemoveAll(s.data()))
	s.check(copyAll(b.dir, s.data()))
	s.Start()
}

// copyAll copies a directory with owners and modes.
func copyAll(from, to string) error {
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return nil
}

// newPostgres makes the files of a server.
func newPostgres(settings map[string]string) (*PostgresServer, error) {
	dir, err := newDir("postgres")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{dir: dir, password: rand.Text(), settings: map[string]string{
		"listen_addresses":           "127.0.0.1",
		"unix_socket_directories":    "",
		"dynamic_shared_memory_type": "mmap", // leaves nothing behind when it is killed
		"max_connections":            "300",
	}}
	maps.Copy(s.settings, settings)
	if err := s.initialize(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *PostgresServer) initialize() error {
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return err
	}
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(s.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := giveAway(password); err != nil {
		return err
	}
	cmd := exec.Command(initdb, "--pgdata", s.data(), "--username", "postgres", "--pwfile", password,
		"--auth", "scram-sha-256", "--locale", "C", "--encoding", "UTF8", "--no-sync")
	if err := confine(cmd); err != nil {
		return err
	}
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.port, err = freePort()
	return err
}

// postgresProgram finds a program beside the server. What is in PATH under its
// name may be a script that chooses a version.
func postgresProgram(name string) (string, error) {
	server, err := find("postgres", "apt-get install postgresql", "/usr/lib/postgresql/*/bin")
	return filepath.Join(filepath.Dir(server), name), err
}

func (s *PostgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *PostgresServer) writeSettings() error {
	var conf bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, strings.ReplaceAll(s.settings[name], "'", "''"))
	}
	return os.WriteFile(filepath.Join(s.data(), "postgresql.conf"), conf.Bytes(), 0o600) // it exists: the owner stays
}

func (s *PostgresServer) start() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start: %w\n%s", err, lastWords(s.dir))
		}
	}()
	program, err := postgresProgram("postgres")
	if err != nil {
		return err
	}
	if err := s.writeSettings(); err != nil {
		return err
	}
	for range startAttempts {
		cmd := exec.Command(program, "-D", s.data(), "-p", strconv.Itoa(s.port))
		cmd.Dir = s.dir
		if s.process, err = start(cmd, filepath.Join(s.dir, "log")); err != nil {
			return err
		}
		if err = s.process.waitReady(func(ctx context.Context) error {
			return s.admin(ctx, func(c *pgx.Conn) error { return c.Ping(ctx) })
		}); !errors.Is(err, errEnded) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

// startAttempts is how often a start is tried that fails at once: of a server
// that was killed the last process may not be gone, or somebody has the port for
// a moment.
const startAttempts = 20

func (s *PostgresServer) stop() error {
	if s.process == nil {
		return nil
	}
	err := s.process.stop(signalStop)
	s.process = nil
	return err
}

// remove stops the server and deletes its files.
func (s *PostgresServer) remove() error {
	if s.process != nil {
		s.process.resume() // a paused one can't stop; whether it was is all the same
	}
	return errors.Join(s.stop(), os.RemoveAll(s.dir))
}

// url returns the URL of a database.
func (s *PostgresServer) url(database string) string {
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     database,
		RawQuery: "sslmode=disable",
	}).String()
}

// admin calls do with a connection to the server's own database.
func (s *PostgresServer) admin(ctx context.Context, do func(*pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close(ctx))
}

func (s *PostgresServer) newDatabase(tb testing.TB) string {
	tb.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	statement := func(ctx context.Context, sql string) error {
		return s.admin(ctx, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, sql)
			return err
		})
	}
	if err := statement(tb.Context(), `CREATE DATABASE `+name); err != nil {
		tb.Fatalf("servers: PostgreSQL: %v\n%s", err, lastWords(s.dir))
	}
	if s.tb == nil { // the files of the others go with their servers
		tb.Cleanup(func() {
			if err := statement(context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
				tb.Errorf("servers: PostgreSQL: %v", err)
			}
		})
	}
	return s.url(name)
}
