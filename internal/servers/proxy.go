package servers

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A Proxy says how to start a reverse proxy: nginx, Caddy or HAProxy.
type Proxy struct {
	Program string
	Args    []string
	// Files are the contents of its files by name. In them, and in Args, DIR is
	// their directory and PORT the port to listen on.
	Files map[string]string
}

// StartProxy starts a reverse proxy on a free port of loopback, and returns the
// address. It ends with the test.
func StartProxy(tb testing.TB, p Proxy) (address string) {
	tb.Helper()
	address, err := p.start(tb)
	if err != nil {
		tb.Fatalf("servers: %s: %v", p.Program, err)
	}
	return address
}

func (p Proxy) start(tb testing.TB) (string, error) {
	program, err := find(p.Program, "apt-get install "+p.Program, "/usr/sbin")
	if err != nil {
		return "", err
	}
	dir, err := newDir(p.Program)
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	fill := strings.NewReplacer("DIR", dir, "PORT", strconv.Itoa(port))
	for name, content := range p.Files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(fill.Replace(content)), 0o600), giveAway(path)); err != nil {
			return "", err
		}
	}
	cmd := exec.Command(program)
	for _, arg := range p.Args {
		cmd.Args = append(cmd.Args, fill.Replace(arg))
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir) // Caddy writes there
	log := filepath.Join(dir, "log")
	process, err := start(cmd, log)
	if err != nil {
		return "", err
	}
	tb.Cleanup(func() {
		if err := process.stop(os.Kill); err != nil {
			tb.Errorf("servers: %s: %v", p.Program, err)
		}
		if text, err := os.ReadFile(log); tb.Failed() && err == nil {
			tb.Logf("what %s says:\n%s", p.Program, text)
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("servers: %s: %v", p.Program, err)
		}
	})
	err = process.waitReady(func(ctx context.Context) error {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		text, _ := os.ReadFile(log) // beside the error, a help
		tb.Logf("what %s says:\n%s", p.Program, text)
	}
	return address, err
}
