package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
)

// openError opens a file that should be refused.
func openError(t *testing.T, path string) error {
	t.Helper()
	s, err := Open(t.Context(), path, Config{BusyTimeout: 10 * time.Millisecond})
	if err == nil {
		s.Close()
		t.Fatal("the file was accepted")
	}
	return err
}

// database makes an SQLite database with the program given.
func database(t *testing.T, path, sql string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Exec(sql), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// ours makes a file with a session in it, at rest.
func ours(t *testing.T, path string) store.SID {
	t.Helper()
	s, err := Open(t.Context(), path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	id := mustCreate(t, s, login(0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return id
}

// A file that can't be used is refused when it is opened, with the next step
// for the operator, and is left as it was.
func TestRefusedFiles(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string // in the error
	}{
		{"newer", func(t *testing.T, path string) {
			ours(t, path)
			database(t, path, `PRAGMA user_version = 99`)
		}, "newer version of Counterfoil (schema 99"},
		{"foreign", func(t *testing.T, path string) {
			database(t, path, `CREATE TABLE recipe (name TEXT)`)
		}, "another program's database"},
		{"foreign and named", func(t *testing.T, path string) {
			database(t, path, `PRAGMA application_id = 42; CREATE TABLE recipe (name TEXT)`)
		}, "another program's database"},
		{"foreign with a log", func(t *testing.T, path string) {
			database(t, path, `PRAGMA journal_mode = WAL; PRAGMA application_id = 42; CREATE TABLE recipe (name TEXT)`)
		}, "another program's database"},
		{"no database", func(t *testing.T, path string) {
			write := os.WriteFile(path, []byte(strings.Repeat("Dear diary, ", 1000)), 0o600)
			if write != nil {
				t.Fatal(write)
			}
		}, "not an SQLite database"},
		{"short", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("SQLite format 3\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not an SQLite database"},
		{"cut off", func(t *testing.T, path string) {
			ours(t, path)
			if err := os.Truncate(path, 2*4096); err != nil {
				t.Fatal(err)
			}
		}, "restore it from a backup"},
		{"overwritten", func(t *testing.T, path string) {
			ours(t, path)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, 3*4096), 4096)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}, "restore it from a backup"},
		{"without its row", func(t *testing.T, path string) {
			ours(t, path)
			database(t, path, `DELETE FROM meta`)
		}, "restore it from a backup"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			tt.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := openError(t, path); !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q, want %q and the path in it", err, tt.want)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func TestRefusedPlaces(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ name, path, want string }{
		{"no path", "", "store/memory"},
		{"memory", ":memory:", "store/memory"},
		{"directory", dir, dir},
		{"missing directory", filepath.Join(dir, "missing", "test.db"), "make the directory first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := openError(t, tt.path); !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestLockedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	id := ours(t, path)
	other, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Exec(`PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE`); err != nil {
		t.Fatal(err)
	}
	if err := openError(t, path); !strings.Contains(err.Error(), "another program holds a lock") {
		t.Errorf("error %q does not say that the file is locked", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, path, Config{}).Find(t.Context(), id); err != nil {
		t.Errorf("after the lock was gone: %v", err)
	}
}

// A write lock that another process keeps fails the writes that wait for it,
// none of which has happened, and leaves the reads alone.
func TestLockedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openAt(t, path, Config{BusyTimeout: 10 * time.Millisecond})
	id := mustCreate(t, s, login(0))
	other, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	_, err = s.End(t.Context(), id, time.Hour)
	if !errors.Is(err, sqlite3.BUSY) || errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("error %v, want %v", err, sqlite3.BUSY)
	}
	if _, err := s.Find(t.Context(), id); err != nil {
		t.Errorf("Find: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if ended, err := s.End(t.Context(), id, time.Hour); err != nil || ended.Count != 1 {
		t.Errorf("End after the lock was gone: %v, error %v", ended, err)
	}
}

// A context that ends while Open waits for a lock ends the wait.
func TestOpenContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	ours(t, path)
	other, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if s, err := Open(ctx, path, Config{BusyTimeout: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
		if err == nil {
			s.Close()
		}
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
}

// Nobody but the owner may read who is logged in from where, whatever the
// process's umask lets through.
func TestFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, "with space & 100%?.db"), Config{})
	mustCreate(t, s, login(0))
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("%d files, want the database, its log and its index", len(files))
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f.Name(), info.Mode())
		}
	}
}

// Accounts may share the file, and may have been there first.
func TestSharesFileWithAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	database(t, path, `PRAGMA journal_mode = WAL; CREATE TABLE account_user (id TEXT PRIMARY KEY); CREATE INDEX account_age ON account_user (id);
		CREATE TABLE outbox_place (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE client_assertion (digest BLOB PRIMARY KEY) WITHOUT ROWID`)
	id := ours(t, path)
	if _, err := openAt(t, path, Config{}).Find(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// Programs that start at the same moment make one store.
func TestOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	var wg sync.WaitGroup
	stores := make([]*Store, 8)
	for i := range stores {
		wg.Go(func() {
			s, err := Open(t.Context(), path, Config{})
			if err != nil {
				t.Error(err)
				return
			}
			stores[i] = s
			if _, err := s.EndAll(t.Context(), time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		if s == nil {
			continue
		}
		if n, err := s.Generation(t.Context(), "john"); err != nil || n != uint64(1+len(stores)) {
			t.Errorf("generation %d, error %v; want %d", n, err, 1+len(stores))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A database that was replaced under the open store, by a restore that did not
// stop the program, is not written to, nor is its log believed.
func TestReplacedFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it does not let go of an open file
	}
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(t.Context(), path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	id := mustCreate(t, s, login(0))
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Follow(t.Context(), store.Cursor{}, 1); !errors.Is(err, errMoved) {
		t.Errorf("Follow: error %v, want %v", err, errMoved)
	}
	if _, err := s.Beat(t.Context(), store.Beat{Node: store.NewNodeID(), Bound: time.Second}); !errors.Is(err, errMoved) {
		t.Errorf("Beat: error %v, want %v", err, errMoved)
	}
	if _, err := s.End(t.Context(), id, time.Hour); !errors.Is(err, errMoved) {
		t.Errorf("End: error %v, want %v", err, errMoved)
	}
	if err := s.Close(); !errors.Is(err, errMoved) {
		t.Errorf("Close: error %v, want %v", err, errMoved)
	}
}

// A file of an older version is brought up to date, whole or not at all.
func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	id := ours(t, path)
	f, err := prepare(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openConn(f, sqlite3.OPEN_READWRITE, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	good, bad := `ALTER TABLE session ADD COLUMN colour TEXT`, `CREATE TABLE half (a); CREATE TABLE session (a)`
	if _, err := setUp(c, f, append(slices.Clone(migrations), good, bad)); err == nil {
		t.Error("a migration that failed had no error")
	}
	if n, err := c.integer(`SELECT count(*) FROM pragma_table_info('session') WHERE name = 'colour'`); err != nil || n != 0 {
		t.Errorf("half a migration is left (%d, %v)", n, err)
	}
	if _, err := setUp(c, f, append(slices.Clone(migrations), good)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.integer(`SELECT count(*) FROM session WHERE sid = ? AND colour IS NULL`, id); err != nil || n != 1 {
		t.Errorf("the session is not there after the migration (%d, %v)", n, err)
	}
	if err := openError(t, path); !strings.Contains(err.Error(), fmt.Sprintf("schema %d, this program knows %d", len(migrations)+1, len(migrations))) {
		t.Errorf("the older version says %q", err)
	}
}

// What version 1 of the schema wrote is there in the next, and an entry that
// ended all sessions names its cut: before every session that is live.
func TestMigrateVersion1(t *testing.T) {
	const created = 1_700_000_000_000
	path := filepath.Join(t.TempDir(), "test.db")
	database(t, path, migrations[0]+`;
		PRAGMA application_id = `+fmt.Sprint(applicationID)+`;
		PRAGMA user_version = 1;
		PRAGMA journal_mode = WAL;
		UPDATE meta SET epoch = 2, clock = 1700000005000;
		INSERT INTO session (sid, epoch, created, auth_time, last_seen, idle, deadline, persistent,
				secret, user, name, methods, user_agent, address)
			SELECT sid, epoch, created, 0, 1700000000000, 1000000000000, 9000000000000, 0, zeroblob(32), 'john', '', '', '', ''
			FROM (SELECT unhex('0198c0de000070008000000000000001') AS sid, 2 AS epoch, 1700000000000 AS created UNION ALL
				SELECT unhex('0198c0de000070008000000000000002'), 1, 1600000000000);
		INSERT INTO ended VALUES
			(1, randomblob(16), 1, unhex('0198c0de000070008000000000000003'), 9000000000000),
			(2, randomblob(16), 2, zeroblob(16), 9000000000000),
			(3, randomblob(16), 2, zeroblob(16), 9000000000000)`)
	s := openAt(t, path, Config{})
	for last, want := range map[byte]error{1: nil, 2: store.ErrNotFound} {
		id := store.SID{0x01, 0x98, 0xc0, 0xde, 0, 0, 0x70, 0, 0x80, 15: last}
		if _, err := s.Find(t.Context(), id); !errors.Is(err, want) {
			t.Errorf("session %v: error %v, want %v", id, err, want)
		}
	}
	node := store.NewNodeID()
	news, err := s.Beat(t.Context(), store.Beat{Node: node, Bound: time.Second, Limit: 10})
	if err != nil || len(news.Entries) != 3 {
		t.Fatalf("%d entries, error %v, want 3", len(news.Entries), err)
	}
	if e := news.Entries[0]; e.Session != (store.SID{0x01, 0x98, 0xc0, 0xde, 0, 0, 0x70, 0, 0x80, 15: 3}) {
		t.Errorf("the entry of a session names %v", e.Session)
	}
	first, second := news.Entries[1].Session, news.Entries[2].Session
	if first == second || first.Time().UnixMilli() != created || second.Time().UnixMilli() != created {
		t.Errorf("the cuts are %v at %v and %v at %v, want two at %d", first, first.Time(), second, second.Time(), created)
	}
	for _, cut := range []store.SID{first, second} {
		if again := store.NewSID(cut.Time()); again[6]>>4 != cut[6]>>4 || again[8]>>6 != cut[8]>>6 {
			t.Errorf("the cut %v is no UUID of version 7", cut)
		}
	}
	if holders, _, err := s.Holders(t.Context()); err != nil || len(holders) != 1 || holders[0].Node != node {
		t.Errorf("holders %v, error %v", holders, err)
	}
}
