package account

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
)

// The version has a table of its own: PRAGMA user_version belongs to the
// sessions, where they share the file.
const sqliteSchema = `
CREATE TABLE account_schema (version INTEGER NOT NULL);

CREATE TABLE account_user (
	id               TEXT    NOT NULL PRIMARY KEY,
	name             TEXT    NOT NULL,
	name_key         TEXT    NOT NULL UNIQUE, -- the name as it is looked up
	hash             TEXT    NOT NULL,        -- of the password, in PHC format
	created          INTEGER NOT NULL,
	password_changed INTEGER NOT NULL,
	disabled         INTEGER NOT NULL
);

-- A user's sessions that are still to be ended. A row outlives its user, and
-- seq is never used again: so clearing what is known never clears what is new.
CREATE TABLE account_cutoff (
	seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	user_id TEXT    NOT NULL
);

-- The devices that a user has logged in with, by the digest of a cookie.
CREATE TABLE account_device (
	user_id TEXT    NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
	digest  BLOB    NOT NULL,
	created INTEGER NOT NULL,
	PRIMARY KEY (user_id, digest)
);
CREATE INDEX account_device_age ON account_device (created);

-- The places that a user has logged in from.
CREATE TABLE account_place (
	user_id TEXT    NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
	place   TEXT    NOT NULL, -- an address, or an IPv6 network
	last    INTEGER NOT NULL,
	PRIMARY KEY (user_id, place)
);
CREATE INDEX account_place_age ON account_place (last);

-- How often guessing has failed, by the digest of who was guessed at and from
-- where, or of the address alone.
CREATE TABLE account_throttle (
	bucket    BLOB    NOT NULL PRIMARY KEY,
	failures  INTEGER NOT NULL,
	failed_at INTEGER NOT NULL
);
CREATE INDEX account_throttle_age ON account_throttle (failed_at);

-- Attempts that are being checked now.
CREATE TABLE account_attempt (
	id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	person  BLOB    NOT NULL, -- a bucket
	address BLOB    NOT NULL, -- a bucket
	started INTEGER NOT NULL
);
CREATE INDEX account_attempt_person ON account_attempt (person);
CREATE INDEX account_attempt_address ON account_attempt (address);
CREATE INDEX account_attempt_started ON account_attempt (started);
`

// openSQLite opens a file. Processes that share it share a machine, and with it
// a clock.
func openSQLite(path string) (*database, error) {
	pool, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &database{
		conn: conn{pool, func(query string) string { return query }},
		pool: pool,

		now: func(context.Context) (time.Time, error) { return time.Now(), nil },
		hold: func(context.Context, *sql.Tx, []string) (time.Time, error) {
			return time.Now(), nil // there is one writer at a time: see _txlock
		},
		doubt: func(*sql.Conn) error { return nil },
		again: func(error) bool { return false },

		schema: sqliteSchema,
		isMade: `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'account_schema')`,
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
	query := url.Values{
		"_txlock": {"immediate"}, // one writer at a time: what a transaction reads stays true until it commits
		"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)"},
	}
	if runtime.GOOS != "windows" { // where files have no such modes
		query.Set("modeof", path)
	}
	place := filepath.ToSlash(path)
	if !strings.HasPrefix(place, "/") {
		place = "/" + place // a drive letter
	}
	// SQLite takes a plus sign for itself, not for a space.
	dsn := url.URL{Scheme: "file", Path: place, RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20")}
	db, err := driver.Open(dsn.String())
	if err != nil {
		return nil, err
	}
	// SQLite has one writer at a time. Waiting for it here is fair, and ends
	// with the context; waiting in SQLite is a poll.
	db.SetMaxOpenConns(1)
	return db, nil
}
