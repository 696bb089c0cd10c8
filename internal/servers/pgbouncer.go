package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PgBouncer starts a PgBouncer before the server of a database, with transaction
// pooling and so many connections to it, and returns the URL of the database
// through it. It ends with the test.
func PgBouncer(tb testing.TB, database string, connections int) string {
	tb.Helper()
	through, err := startPgBouncer(tb, database, connections)
	if err != nil {
		tb.Fatalf("servers: PgBouncer: %v", err)
	}
	return through
}

func startPgBouncer(tb testing.TB, database string, connections int) (string, error) {
	to, err := url.Parse(database)
	if err != nil {
		return "", err
	}
	program, err := find("pgbouncer", "apt-get install pgbouncer", "/usr/sbin")
	if err != nil {
		return "", err
	}
	dir, err := newDir("pgbouncer")
	if err != nil {
		return "", err
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("servers: PgBouncer: %v", err)
		}
	})
	port, err := freePort()
	if err != nil {
		return "", err
	}
	password, _ := to.User.Password()
	users := filepath.Join(dir, "users")
	config := filepath.Join(dir, "config")
	for path, text := range map[string]string{
		users: fmt.Sprintf("%q %q\n", to.User.Username(), password),
		config: fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 1000
`, to.Hostname(), to.Port(), port, users, connections),
	} {
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), giveAway(path)); err != nil {
			return "", err
		}
	}
	cmd := exec.Command(program, config)
	cmd.Dir = dir
	p, err := start(cmd, filepath.Join(dir, "log"))
	if err != nil {
		return "", err
	}
	tb.Cleanup(func() {
		if err := p.stop(os.Kill); err != nil {
			tb.Errorf("servers: PgBouncer: %v", err)
		}
	})
	through := *to
	through.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return through.String(), p.waitReady(func(ctx context.Context) error {
		c, err := pgx.Connect(ctx, through.String())
		if err != nil {
			return err
		}
		return c.Close(ctx)
	})
}
