package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A database is where the users are. What SQLite and PostgreSQL do alike is
// said in the methods, and what they do in ways of their own in these fields.
type database struct {
	conn // outside of transactions
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

	schema  string // makes all tables
	migrant string // the subject of who makes them
	isMade  string // asks whether they are there
}

const (
	// longestWork bounds every statement and every transaction: a database that
	// does not answer is an error, not a wait.
	longestWork = 10 * time.Second

	maxTries = 5                     // at a transaction
	rest     = 50 * time.Millisecond // after the first of them, and longer after the next
)

var errSilent = fmt.Errorf("the database did not answer within %v", longestWork)

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, longestWork, errSilent)
}

// orTimeUp says that the time is up, where it is, and not how the driver puts
// it.
func orTimeUp(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A conn takes statements, in a transaction or outside.
type conn struct {
	to interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}
	dialect func(string) string // puts a statement of sql.go as the database wants it
}

// A scanner reads the row at hand.
type scanner func(dest ...any) error

// into is a scanner's use where nothing is to be done but to read.
func into(dest ...any) func(scanner) error {
	return func(scan scanner) error { return scan(dest...) }
}

func (c conn) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	result, err := c.to.ExecContext(ctx, c.dialect(query), args...)
	return result, orTimeUp(ctx, err)
}

// each calls read for every row of the answer.
func (c conn) each(ctx context.Context, read func(scanner) error, query string, args ...any) (err error) {
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

// one calls read for the only row, or returns sql.ErrNoRows.
func (c conn) one(ctx context.Context, read func(scanner) error, query string, args ...any) error {
	found := false
	err := c.each(ctx, func(scan scanner) error {
		found = true
		return read(scan)
	}, query, args...)
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

func (c conn) exists(ctx context.Context, query string, args ...any) (found bool, err error) {
	err = c.one(ctx, into(&found), query, args...)
	return found, err
}

// change is exec for a statement that is to change one row. Error: [ErrNotFound]
// where it changed none.
func (c conn) change(ctx context.Context, query string, args ...any) error {
	result, err := c.exec(ctx, query, args...)
	if err != nil {
		return err
	}
	switch n, err := result.RowsAffected(); {
	case err != nil:
		return err
	case n == 0:
		return ErrNotFound
	}
	return nil
}

// A txn is a transaction that writes.
type txn struct {
	conn
	now time.Time // by the clock that all processes share
}

// write runs do in a transaction that no other transaction on one of the
// subjects interleaves with: it sees all that those before it did, and those
// after it see all that it did. It may run do again from the beginning, after
// all was undone.
//
// Whoever reads something and writes what follows from it names a subject for
// it here. SQLite has one writer at a time, and the subjects say nothing to it.
func (d *database) write(ctx context.Context, subjects []string, do func(*txn) error) error {
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

func (d *database) try(ctx context.Context, subjects []string, do func(*txn) error) (err error) {
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
		err = do(&txn{conn{tx, d.dialect}, now})
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

// migrate makes the tables where they are missing.
func (d *database) migrate(ctx context.Context) error {
	return d.write(ctx, []string{d.migrant}, func(tx *txn) error {
		made, err := tx.exists(ctx, d.isMade)
		if err != nil {
			return err
		}
		if !made {
			if _, err := tx.exec(ctx, d.schema); err != nil {
				return err
			}
			_, err := tx.exec(ctx, sqlSetSchemaVersion, schemaVersion)
			return err
		}
		var version int
		if err := tx.one(ctx, into(&version), sqlSchemaVersion); err != nil || version == schemaVersion {
			return err
		}
		return fmt.Errorf("the accounts have schema version %d and this program knows %d: use the program that wrote them, or a newer one", version, schemaVersion)
	})
}
