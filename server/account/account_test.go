package account

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil/server/database"

	"github.com/ncruces/go-sqlite3/driver"
)

const (
	good    = "correct horse battery staple"
	another = "seven green bottles hanging on"
)

var (
	here      = netip.MustParseAddr("192.0.2.1")
	elsewhere = netip.MustParseAddr("198.51.100.7")
)

// cheap makes the hash cheap where its strength is not the subject.
var cheap = cost{memory: 8, time: 1, threads: 1}

// open opens accounts with a cheap hash.
func open(t testing.TB, where string) *Accounts {
	t.Helper()
	return opened(t)(openWith(t.Context(), where, Config{cost: cheap, ContextWords: []string{"counterfoil"}, HashParallelism: 64}))
}

// opened closes accounts when the test ends.
func opened(t testing.TB) func(*Accounts, error) *Accounts {
	return func(a *Accounts, err error) *Accounts {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
		return a
	}
}

func add(t testing.TB, a *Accounts, name string) User {
	t.Helper()
	u, err := a.Add(t.Context(), name, good)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// login tries a password from an address, without a device.
func login(t testing.TB, a *Accounts, name, password string, from netip.Addr) error {
	t.Helper()
	_, err := a.Authenticate(t.Context(), Attempt{Name: name, Password: password, Address: from})
	return err
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want %v", err, want)
	}
}

func wantThrottled(t testing.TB, err error) *ThrottledError {
	t.Helper()
	var throttled *ThrottledError
	if !errors.As(err, &throttled) {
		t.Fatalf("error = %v, want a ThrottledError", err)
	}
	return throttled
}

// countHashes makes the hasher count what it computes.
func countHashes(a *Accounts) *atomic.Int64 {
	var n atomic.Int64
	derive := a.hasher.derive
	a.hasher.derive = func(password, salt []byte, c cost) []byte {
		n.Add(1)
		return derive(password, salt, c)
	}
	return &n
}

// parallel runs do n times at once and returns the errors.
func parallel(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errs
}

func TestOpenMakesAPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "an odd?name#%41+&.db")
	a := open(t, path)
	add(t, a, "john")
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", filepath.Base(file), info.Mode().Perm())
		}
	}
}

func TestFileHoldsNoSecrets(t *testing.T) {
	const why = "req 7: what is read out of the file opens nothing"
	path := filepath.Join(t.TempDir(), "counterfoil.db")
	a := open(t, path)
	u := add(t, a, "john")
	device, err := a.RememberDevice(t.Context(), u.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	const slip = "a-password-typed-as-the-name"
	wantError(t, login(t, a, slip, "wrong-guess", here), ErrCredentials)
	for _, file := range []string{path, path + "-wal"} {
		dump, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{good, device, slip, "wrong-guess"} {
			if strings.Contains(string(dump), secret) {
				t.Errorf("%s holds %q: %s", filepath.Base(file), secret, why)
			}
		}
	}
}

func TestOpenSharesTheFile(t *testing.T) {
	const why = "the file may be the one that holds the sessions: the tables are named account_… and leave all others alone"
	path := filepath.Join(t.TempDir(), "counterfoil.db")
	db, err := driver.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`PRAGMA user_version = 7; PRAGMA application_id = 42; CREATE TABLE session (id)`); err != nil {
		t.Fatal(err)
	}
	add(t, open(t, path), "john")
	for query, want := range map[string]int{
		`PRAGMA user_version`:   7,
		`PRAGMA application_id`: 42,
		`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'account_%' AND name NOT LIKE 'sqlite_%'`: 1,
	} {
		var got int
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %d (%v), want %d: %s", query, got, err, want, why)
		}
	}
}

func TestOpenManyAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		for _, err := range parallel(8, func(int) error {
			a, err := openWith(t.Context(), where, Config{cost: cheap})
			if err != nil {
				return err
			}
			return a.Close()
		}) {
			if err != nil {
				t.Errorf("processes that start together make one database: %v", err)
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	newer := filepath.Join(t.TempDir(), "newer.db")
	a := open(t, newer)
	if _, err := a.db.Exec(t.Context(), `UPDATE account_schema SET version = 99`); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database at all\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want, why string }{
		{newer, "newer", "what a newer program wrote is not touched, and the operator reads the next step"},
		{text, "not a database", "another file is not overwritten"},
		{filepath.Join(t.TempDir(), "missing", "a.db"), "no such file", "a directory is not made up"},
	} {
		a, err := Open(t.Context(), c.path, Config{cost: cheap})
		if err == nil {
			a.Close()
			t.Errorf("Open(%s) succeeds: %s", filepath.Base(c.path), c.why)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%s): %q does not say %q: %s", filepath.Base(c.path), err, c.want, c.why)
		}
	}
}

func TestClosedOrEndedContextFailsClosed(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "john")
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := a.Authenticate(ended, Attempt{Name: "john", Password: good}); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v, want %v", err, context.Canceled)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		for call, err := range map[string]error{
			"Authenticate":   login(t, a, "john", good, here),
			"Empty":          second(a.Empty(t.Context())),
			"Find":           second(a.Find(t.Context(), "john")),
			"List":           second(a.List(t.Context(), "", 10)),
			"Add":            second(a.Add(t.Context(), "jane", good)),
			"Disable":        second(a.Disable(t.Context(), u.ID)),
			"Enable":         a.Enable(t.Context(), u.ID),
			"Delete":         second(a.Delete(t.Context(), u.ID)),
			"SetPassword":    second(a.SetPassword(t.Context(), u.ID, another)),
			"ChangePassword": second(a.ChangePassword(t.Context(), Change{UserID: u.ID, Old: good, New: another})),
			"RememberDevice": second(a.RememberDevice(t.Context(), u.ID, "")),
			"PendingCutoffs": second(a.PendingCutoffs(t.Context())),
			"CutoffDone":     a.CutoffDone(t.Context(), Cutoff{UserID: u.ID, Seq: 1}),
		} {
			if err == nil || errors.Is(err, ErrCredentials) || errors.Is(err, ErrNotFound) {
				t.Errorf("%s on closed accounts: %v, want an error of the database", call, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func count(t testing.TB, a *Accounts, query string, args ...any) int {
	t.Helper()
	var n int
	if err := a.db.One(t.Context(), database.Into(&n), query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}
