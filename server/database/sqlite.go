package database

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

// OpenSQLite opens the file at path, and makes it, readable by its owner alone,
// where it is missing. Processes that share it share a machine, and with it
// a clock.
func OpenSQLite(path string) (*DB, error) {
	pool, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &DB{
		Conn: Conn{pool, func(query string) string { return query }},
		pool: pool,

		now: func(context.Context) (time.Time, error) { return time.Now(), nil },
		hold: func(context.Context, *sql.Tx, []string) (time.Time, error) {
			return time.Now(), nil // there is one writer at a time: see _txlock
		},
		doubt: func(*sql.Conn) error { return nil },
		again: func(error) bool { return false },

		schema: func(t Tables) string { return t.SQLite },
		isMade: `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1)`,
	}, nil
}

func openFile(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// Whoever may read the database may read its companions, and nobody else:
	// the driver makes them readable for all. The mode of the write-ahead log
	// follows the database's (modeof).
	for _, file := range []string{path, path + "-shm"} {
		f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	db, err := driver.Open(fileURI(path, url.Values{
		"_txlock": {"immediate"}, // one writer at a time: what a transaction reads stays true until it commits
		"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)"},
	}))
	if err != nil {
		return nil, err
	}
	// SQLite has one writer at a time. Waiting for it here is fair, and ends
	// with the context; waiting in SQLite is a poll.
	db.SetMaxOpenConns(1)
	return db, nil
}

// fileURI is an absolute path as SQLite wants it named.
func fileURI(path string, query url.Values) string {
	if runtime.GOOS != "windows" { // where files have no such modes
		query.Set("modeof", path)
	}
	place := filepath.ToSlash(path)
	if !strings.HasPrefix(place, "/") {
		place = "/" + place // a drive letter
	}
	// SQLite takes a plus sign for itself, not for a space.
	uri := url.URL{Scheme: "file", Path: place, RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20")}
	return uri.String()
}

// ErrNoSQLite: a file is something else.
var ErrNoSQLite = errors.New("it is not an SQLite database: choose another path")

// FileHas reports whether the file at path holds a table. It looks and no more: the
// file may be another program's. Errors: [fs.ErrNotExist], [ErrNoSQLite].
func FileHas(path, table string) (found bool, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	if _, err := os.Stat(path); err != nil {
		return false, err
	}
	// Where the log is a file of its own, to read is to write beside the database.
	c, err := sqlite3.OpenFlags(fileURI(path, url.Values{}), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.BusyTimeout(LongestWork); err != nil {
		return false, err
	}
	s, _, err := c.Prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1`)
	if errors.Is(err, sqlite3.NOTADB) {
		return false, ErrNoSQLite
	}
	if err != nil {
		return false, err
	}
	defer s.Close()
	if err := s.BindText(1, table); err != nil {
		return false, err
	}
	return s.Step(), s.Err()
}
