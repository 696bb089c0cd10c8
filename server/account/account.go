// Package account keeps the users of the server: their names and passwords,
// the throttles on guessing, and the devices that a user is known by.
//
// For most uses, call [Open], [Accounts.Authenticate] at a login, and
// [Accounts.ChangePassword] when the user wants another password.
//
// Whoever changes a password, or disables or deletes a user, gets a [Cutoff]:
// the user's sessions are to be ended, and the debt is on record, in the same
// transaction, until [Accounts.CutoffDone] clears it. The sessions may be in
// another database, and the process may die in between: whoever starts next
// finds the debt in [Accounts.PendingCutoffs].
package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
)

// The errors that callers tell apart. See also [PasswordError] and
// [ThrottledError].
var (
	// ErrCredentials: no such user, a wrong password, or a disabled user. It
	// is one error on purpose (ASVS 6.3.8): the visitor must not learn which.
	ErrCredentials = errors.New("account: wrong name or password")

	// ErrBusy: too many logins are waiting to be checked. Answer 503 and let
	// the visitor try again in a second.
	ErrBusy = errors.New("account: too many logins at once")

	// ErrNotFound: there is no user of that name or id. For operators: a
	// visitor gets [ErrCredentials].
	ErrNotFound = errors.New("account: no such user")

	// ErrNameTaken: another user has the name, perhaps in other letter case.
	ErrNameTaken = errors.New("account: the name is taken")

	// ErrNameInvalid: the name breaks the rules that [Accounts.Add] states.
	ErrNameInvalid = errors.New("account: the name is not valid")

	// ErrNotEmpty: there is a user already, so nobody can be the first.
	ErrNotEmpty = errors.New("account: there is a user already")
)

// Config holds the options of [Open]. Its zero value works.
type Config struct {
	// ContextWords are words that a guesser would try here: the service's
	// name, its host. A password that rests on them is refused (ASVS 6.2.11).
	ContextWords []string

	// HashParallelism is how many passwords are hashed at a time. Each takes
	// 19 MiB and one processor. Zero: GOMAXPROCS.
	HashParallelism int

	cost cost // of a hash; zero: defaultCost. Tests make it cheap.
}

// Accounts is the users' database. Its methods are safe for concurrent use by
// many goroutines; many processes may have the same file open.
//
// A method that fails for another reason than the errors above could not reach
// the database: refuse what was asked for.
type Accounts struct {
	db     *sql.DB
	hasher *hasher
	words  []string // Config.ContextWords, and the words in them

	outcomes   outcomes
	settled    atomic.Int64 // attempts since Open; see settle
	maxBuckets int
}

// Open opens the SQLite file at path, and makes it, readable by its owner
// alone, where it is missing. The file may be the one that holds the sessions:
// the tables here are named account_… and leave all others alone.
func Open(ctx context.Context, path string, config Config) (*Accounts, error) {
	db, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("account: open %s: %w", path, err)
	}
	if config.cost == (cost{}) {
		config.cost = defaultCost
	}
	if config.HashParallelism <= 0 {
		config.HashParallelism = runtime.GOMAXPROCS(0)
	}
	a := &Accounts{
		db:     db,
		hasher: newHasher(config.cost, config.HashParallelism),

		maxBuckets: maxBuckets,
	}
	for _, w := range config.ContextWords {
		a.words = append(a.words, wordsOf(w)...)
	}
	if err = a.migrate(ctx); err == nil {
		err = a.purge(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("account: open %s: %w", path, err), db.Close())
	}
	return a, nil
}

// Close closes the database. Attempts under way fail.
func (a *Accounts) Close() error { return a.db.Close() }

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
		"_txlock": {"immediate"}, // what a transaction reads stays true until it commits
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

// write runs do in a transaction that no other writer interleaves with.
func (a *Accounts) write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) { // done: the context has ended it
			err = errors.Join(err, undo)
		}
		return err
	}
	return tx.Commit()
}

func (a *Accounts) migrate(ctx context.Context) error {
	return a.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, sqlSchemaTable); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRowContext(ctx, sqlSchemaVersion).Scan(&version); err != nil {
			return err
		}
		switch version {
		case 0:
			if _, err := tx.ExecContext(ctx, sqlSchema); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, sqlSetSchemaVersion, schemaVersion)
			return err
		case schemaVersion:
			return nil
		}
		return fmt.Errorf("the accounts have schema version %d and this program knows %d: use the program that wrote them, or a newer one", version, schemaVersion)
	})
}

// failed says what could not be done because of an error of the database; the
// package's own errors pass as they are.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	for _, own := range []error{ErrNotFound, ErrNameTaken, ErrNotEmpty} {
		if errors.Is(err, own) {
			return own
		}
	}
	return fmt.Errorf("account: %s: %w", doing, err)
}

// Times are stored as milliseconds since 1970: they sort, and every database
// has a type for them.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
