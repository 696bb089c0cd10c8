// Package account keeps the users of the server: their names and passwords,
// the throttles on guessing, and the devices that a user is known by.
//
// For most uses, call [Open] or [OpenPostgres], [Accounts.Authenticate] at a
// login, and [Accounts.ChangePassword] when the user wants another password.
//
// Whoever changes a password, or disables or deletes a user, gets a [Cutoff]:
// the user's sessions are to be ended, and the debt is on record, in the same
// transaction, until [Accounts.CutoffDone] clears it. The sessions may be in
// another database, and the process may die in between: whoever starts next
// finds the debt in [Accounts.PendingCutoffs].
package account

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/counterfoil/counterfoil/server/database"
)

// The errors that callers tell apart. See also [PasswordError] and
// [ThrottledError].
var (
	// ErrCredentials: no such user, a wrong password, or a disabled user. It
	// is one error on purpose (ASVS 6.3.8): the visitor must not learn which.
	ErrCredentials = errors.New("account: wrong name or password")

	// ErrBusy: too many logins are waiting to be checked, or this one has for
	// 25 seconds. Answer 503 and let the visitor try again in a second.
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

// Config holds the options of [Open] and [OpenPostgres]. Its zero value works.
type Config struct {
	// ContextWords are words that a guesser would try here: the service's
	// name, its host. A password that rests on them is refused (ASVS 6.2.11).
	ContextWords []string

	// HashParallelism is how many passwords are hashed at a time. Each takes
	// 19 MiB and one processor. Zero: half of GOMAXPROCS, but one at least.
	HashParallelism int

	cost cost // of a hash; zero: defaultCost. Tests make it cheap.
}

// Accounts is the users' database. Its methods are safe for concurrent use by
// many goroutines; many processes may have the same database open.
//
// A method that fails for another reason than the errors above could not reach
// the database: refuse what was asked for.
type Accounts struct {
	db     *database.DB
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
	db, err := database.OpenSQLite(path)
	if err != nil {
		return nil, fmt.Errorf("account: open %s: %w", path, err)
	}
	a, err := newAccounts(ctx, db, config)
	if err != nil {
		return nil, fmt.Errorf("account: open %s: %w", path, err)
	}
	return a, nil
}

// OpenPostgres opens a PostgreSQL database that many nodes may share. The URL
// is postgres://USER:PASSWORD@HOST:PORT/DATABASE, with the parameters of libpq;
// what it leaves out comes from PGPASSWORD and its like. The tables are in the
// schema counterfoil, named account_…, and made where they are missing.
//
// It works through a pooler that gives each transaction another connection. A
// server that does not answer within 10 seconds is an error. No error shows the
// password.
func OpenPostgres(ctx context.Context, url string, config Config) (*Accounts, error) {
	db, err := database.OpenPostgres(url)
	if err != nil {
		return nil, fmt.Errorf("account: open PostgreSQL: %w", err)
	}
	a, err := newAccounts(ctx, db, config)
	if err != nil {
		return nil, fmt.Errorf("account: open PostgreSQL: %w", err)
	}
	return a, nil
}

// newAccounts owns the database from now on.
func newAccounts(ctx context.Context, db *database.DB, config Config) (*Accounts, error) {
	if config.cost == (cost{}) {
		config.cost = defaultCost
	}
	if config.HashParallelism <= 0 {
		config.HashParallelism = max(1, runtime.GOMAXPROCS(0)/2)
	}
	a := &Accounts{
		db:     db,
		hasher: newHasher(config.cost, config.HashParallelism),

		maxBuckets: maxBuckets,
	}
	for _, w := range config.ContextWords {
		a.words = append(a.words, wordsOf(w)...)
	}
	err := db.Make(ctx, tables)
	if err == nil {
		err = a.purge(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// MakeWay says that somebody asks for something else than to have a password
// checked. For a second from then on hashing rests for most of the time, so
// that many logins at once don't slow others down. Call it for each request; it
// takes some 50 ns.
func (a *Accounts) MakeWay() { a.hasher.makeWay() }

// Database is where the users are, for what is kept beside them. Close closes
// it.
func (a *Accounts) Database() *database.DB { return a.db }

// Close closes the database. Attempts under way fail.
func (a *Accounts) Close() error { return a.db.Close() }

// failed says what could not be done because of an error of the database; the
// package's own errors pass as they are.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, database.ErrNoRow) {
		return ErrNotFound
	}
	for _, own := range []error{ErrNotFound, ErrNameTaken, ErrNotEmpty} {
		if errors.Is(err, own) {
			return own
		}
	}
	return fmt.Errorf("account: %s: %w", doing, err)
}
