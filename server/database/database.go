// Package database is a SQL database of the server, in a SQLite file or on
// PostgreSQL: what its users need of both, and what the two do differently.
//
// For most uses, [Open] it, [DB.Make] the tables, and do everything that reads
// and then writes in [DB.Write].
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A DB is an open database. What SQLite and PostgreSQL do alike is said in the
// methods, and what they do in ways of their own in these fields. It is safe for
// concurrent use; other processes may have the same database open.
type DB struct {
	Conn // outside of transactions
	pool *sql.DB

	begin *sql.TxOptions
	// now is the time by the clock that all processes on the database share.
	now func(ctx context.Context) (time.Time, error)
	// hold waits until no other transaction holds one of the subjects, and
	// holds them until tx ends. It returns the time after the wait.
	hold func(ctx context.Context, tx *sql.Tx, subjects []string) (time.Time, error)
	// doubt returns what the connection has said, since the last call, that
	// leaves open whether a commit is safe.
	doubt func(*sql.Conn) error
	// again reports whether the error has undone a transaction that was not to
	// blame, so that it is worth another try.
	again func(error) bool

	schema  func(Tables) string // makes the tables
	migrant string              // the subject of who makes them
	isMade  string              // asks whether a table is there
}

const (
	// LongestWork bounds every statement and every transaction: a database that
	// does not answer is an error, not a wait.
	LongestWork = 10 * time.Second

	maxTries = 5                     // at a transaction
	rest     = 50 * time.Millisecond // after the first of them, and longer after the next
)

// ErrNoRow: there is no such row.
var ErrNoRow = errors.New("no such row")

// ErrSilent: the database did not answer in time.
var ErrSilent = fmt.Errorf("the database did not answer within %v", LongestWork)

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, LongestWork, ErrSilent)
}

// orTimeUp says that the time is up, where it is, and not how the driver puts
// it.
func orTimeUp(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A Conn takes statements, in a transaction or outside.
type Conn struct {
	to interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}
	dialect func(string) string // puts a statement of sql.go as the database wants it
}

// A Scanner reads the row at hand.
type Scanner func(dest ...any) error

// Into is a Scanner's use where nothing is to be done but to read.
func Into(dest ...any) func(Scanner) error {
	return func(scan Scanner) error { return scan(dest...) }
}

// Exec runs a statement.
func (c Conn) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	result, err := c.to.ExecContext(ctx, c.dialect(query), args...)
	return result, orTimeUp(ctx, err)
}

// Each calls read for every row of the answer.
func (c Conn) Each(ctx context.Context, read func(Scanner) error, query string, args ...any) (err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	defer func() { err = orTimeUp(ctx, err) }()
	rows, err := c.to.QueryContext(ctx, c.dialect(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// One calls read for the only row, or returns ErrNoRow.
func (c Conn) One(ctx context.Context, read func(Scanner) error, query string, args ...any) error {
	found := false
	err := c.Each(ctx, func(scan Scanner) error {
		found = true
		return read(scan)
	}, query, args...)
	if err == nil && !found {
		return ErrNoRow
	}
	return err
}

// Exists returns the only column of the only row.
func (c Conn) Exists(ctx context.Context, query string, args ...any) (found bool, err error) {
	err = c.One(ctx, Into(&found), query, args...)
	return found, err
}

// Change is Exec for a statement that is to change one row. Error: [ErrNoRow]
// where it changed none.
func (c Conn) Change(ctx context.Context, query string, args ...any) error {
	result, err := c.Exec(ctx, query, args...)
	if err != nil {
		return err
	}
	switch n, err := result.RowsAffected(); {
	case err != nil:
		return err
	case n == 0:
		return ErrNoRow
	}
	return nil
}

// A Tx is a transaction that writes.
type Tx struct {
	Conn
	Now time.Time // by the clock that all processes share
}

// Write runs do in a transaction that no other transaction on one of the
// subjects interleaves with: it sees all that those before it did, and those
// after it see all that it did. It may run do again from the beginning, after
// all was undone.
//
// Whoever reads something and writes what follows from it names a subject for
// it here. SQLite has one writer at a time, and the subjects say nothing to it.
func (d *DB) Write(ctx context.Context, subjects []string, do func(*Tx) error) error {
	for tries := 1; ; tries++ {
		err := d.try(ctx, subjects, do)
		if err == nil || tries == maxTries || !d.again(err) {
			return err
		}
		select { // or else it takes again, at once, what the other one waits for
		case <-time.After(time.Duration(tries) * rest):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (d *DB) try(ctx context.Context, subjects []string, do func(*Tx) error) (err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	defer func() { err = orTimeUp(ctx, err) }()
	c, err := d.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close() // gives it back
	d.doubt(c)      // what was said before does not count
	tx, err := c.BeginTx(ctx, d.begin)
	if err != nil {
		return err
	}
	now, err := d.hold(ctx, tx, subjects)
	if err == nil {
		err = do(&Tx{Conn{tx, d.dialect}, now})
	}
	if err == nil {
		if err = tx.Commit(); err == nil {
			err = d.doubt(c)
		}
		return err
	}
	if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) { // done: the context has ended it
		err = errors.Join(err, undo)
	}
	return err
}

// Tables are what one package keeps in the database: all are named after it.
type Tables struct {
	Name             string // such as account, of the tables account_…
	Version          int    // stands in the table NAME_schema, which the schema makes
	SQLite, Postgres string // the schema: in PostgreSQL within the schema counterfoil
}

// Make makes the tables where they are missing.
func (d *DB) Make(ctx context.Context, t Tables) error {
	return d.Write(ctx, []string{d.migrant}, func(tx *Tx) error {
		versions := t.Name + "_schema"
		made, err := tx.Exists(ctx, d.isMade, versions)
		if err != nil {
			return err
		}
		if !made {
			if _, err := tx.Exec(ctx, d.schema(t)); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO `+versions+` (version) VALUES ($1)`, t.Version)
			return err
		}
		var version int
		err = tx.One(ctx, Into(&version), `SELECT coalesce(max(version), 0) FROM `+versions)
		if err != nil || version == t.Version {
			return err
		}
		return fmt.Errorf("the tables %s_… have version %d and this program knows %d: use the program that wrote them, or a newer one", t.Name, version, t.Version)
	})
}

// Has reports whether a table is there.
func (d *DB) Has(ctx context.Context, table string) (bool, error) {
	return d.Exists(ctx, d.isMade, table)
}

// Now is the time by the clock that all processes on the database share.
func (d *DB) Now(ctx context.Context) (time.Time, error) { return d.now(ctx) }

// Close closes the database. What is under way fails.
func (d *DB) Close() error { return d.pool.Close() }

// CountByThisProcess makes the clock of this process the one that counts, for
// tests that hold it in their hand.
func (d *DB) CountByThisProcess() {
	hold := d.hold
	d.hold = func(ctx context.Context, tx *sql.Tx, subjects []string) (time.Time, error) {
		_, err := hold(ctx, tx, subjects)
		return time.Now(), err
	}
	d.now = func(context.Context) (time.Time, error) { return time.Now(), nil }
}

// Times are stored as milliseconds since 1970: they sort, and every database
// has a type for them.

// Millis is a time as it is stored.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// FromMillis is the time that was stored.
func FromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
