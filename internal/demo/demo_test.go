package demo_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/demo"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

const bound = 500 * time.Millisecond

// start runs the demo until the test ends, and returns its address.
func start(t *testing.T) string {
	t.Helper()
	accounts, err := account.Open(t.Context(), filepath.Join(t.TempDir(), "accounts.db"), account.Config{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	file := filepath.Join(t.TempDir(), "sessions.db")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- demo.Run(ctx, demo.Config{
			Listener: listener,
			Open:     func(ctx context.Context) (store.Store, error) { return sqlite.Open(ctx, file, sqlite.Config{}) },
			Store:    "one SQLite file",
			Accounts: accounts,
			Bound:    bound,
			Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the demo ended with %v", err)
		}
		if err := accounts.Close(); err != nil {
			t.Error(err)
		}
	})
	return url
}

// press sends a form and returns the page that it leads to.
func press(t *testing.T, url, button string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url+button, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(page)
}

var said = regexp.MustCompile(`Node A refused (.+?) with (\d+)\. Node B refused (.+?) with (\d+)\.`)

// The page tells what happened: node A refuses at once, node B when it has been
// told; and where it can't be told, within the bound and with 503.
func TestDemo(t *testing.T) {
	url := start(t)
	for _, c := range []struct {
		why, button string
		statusB     string
		most        time.Duration
	}{
		{"node B is told", "/logout", "401", bound},
		{"node B is cut off: 503, within the bound", "/cut", "503", bound + 100*time.Millisecond},
		{"and it is connected again afterwards", "/logout", "401", bound},
	} {
		if status, page := press(t, url, "/login"); status != 200 || strings.Count(page, "John is logged in") != 2 {
			t.Fatalf("%s: after the login: %d\n%s", c.why, status, page)
		}
		_, page := press(t, url, c.button)
		m := said.FindStringSubmatch(page)
		if m == nil || m[1] != "at once" || m[2] != "401" || m[4] != c.statusB {
			t.Fatalf("%s: the page says %q", c.why, m)
		}
		after, err := time.ParseDuration(strings.ReplaceAll(strings.TrimPrefix(m[3], "after "), " ", ""))
		if m[3] != "at once" && (err != nil || after > c.most) {
			t.Errorf("%s: node B refused %s", c.why, m[3])
		}
	}
}

// No other page may press the buttons.
func TestDemoTakesNoForeignPosts(t *testing.T) {
	if status, _ := press(t, start(t), "/login", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("status %d, want 403", status)
	}
}
