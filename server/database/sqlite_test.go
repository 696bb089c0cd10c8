package database

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// To look into a file changes neither it nor what stands beside it: it may be
// another program's.
func TestFileHasOnlyLooks(t *testing.T) {
	for kind, statements := range map[string]string{
		"with a rollback journal": `PRAGMA journal_mode = delete; CREATE TABLE bookmark (url TEXT)`,
		"with a log":              `PRAGMA journal_mode = wal; CREATE TABLE bookmark (url TEXT)`,
		"empty":                   `SELECT 1`,
	} {
		t.Run(kind, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "50% + a#b?c.db")
			c, err := sqlite3.OpenFlags(fileURI(path, url.Values{}), sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
			check(t, err)
			check(t, c.Exec(statements))
			check(t, c.Close())
			before, err := os.ReadFile(path)
			check(t, err)

			for _, table := range []string{"bookmark", "session"} {
				found, err := FileHas(path, table)
				check(t, err)
				if want := table == "bookmark" && kind != "empty"; found != want {
					t.Errorf("FileHas %s: %v", table, found)
				}
			}
			after, err := os.ReadFile(path)
			check(t, err)
			if !bytes.Equal(before, after) {
				t.Errorf("the file has changed: %d bytes before, %d after", len(before), len(after))
			}
			files, err := os.ReadDir(filepath.Dir(path))
			check(t, err)
			if len(files) != 1 {
				t.Errorf("files stand beside it: %v", files)
			}
		})
	}
}

// What is written but not in the file yet counts: servers run.
func TestFileHasSeesTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := OpenSQLite(path)
	check(t, err)
	defer db.Close()
	_, err = db.Exec(t.Context(), `CREATE TABLE bookmark (url TEXT)`)
	check(t, err)
	found, err := FileHas(path, "bookmark")
	check(t, err)
	if !found {
		t.Error("FileHas does not see the table")
	}
}

func TestFileHasErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := FileHas(filepath.Join(dir, "missing.db"), "session"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	notes := filepath.Join(dir, "notes.txt")
	check(t, os.WriteFile(notes, bytes.Repeat([]byte("notes\n"), 100), 0o600))
	if _, err := FileHas(notes, "session"); !errors.Is(err, ErrNoSQLite) {
		t.Errorf("a text: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
