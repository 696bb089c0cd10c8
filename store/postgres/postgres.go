// Package postgres keeps sessions in PostgreSQL (14 or newer), for many nodes.
//
//	sessions, err := postgres.Open(ctx, "postgres://user:password@host/database", postgres.Config{})
//	…
//	defer sessions.Close()
//	manager, err := counterfoil.New(counterfoil.Config{Store: sessions})
//
// Writes that come at the same time are committed together, in one transaction:
// the more there are, the less each costs. The tables stand in a schema of their
// own, so that the database can be shared.
//
// What was acknowledged survives a crash of the server, as long as the server
// has fsync and full_page_writes on; Open warns where it has not. It survives
// a failover only if replication is synchronous (synchronous_standby_names on
// the primary) and nobody ever promotes a standby that replication did not wait
// for: a standby that lags does not know the last logouts. When a commit is
// not known to be replicated, because the wait for the standby was
// cancelled, the error is [store.ErrIndeterminate].
//
// A restore from a backup, and a failover that lost something, bring sessions
// back that were ended since: call [Store.EndAll] after one. Nodes that run
// add again what they know of (Merge), which repairs what is recent.
//
// Behind PgBouncer everything works in the mode of transaction pooling, but for
// the hints of Watch, which need a direct connection: see Config.ListenURL.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/counterfoil/counterfoil/store"
)

// A Config tunes a [Store]. The zero Config works.
type Config struct {
	// Schema is the schema that holds the tables. It is made if it is missing.
	// Stores in one database that have different schemas are different
	// stores. Empty: "counterfoil".
	Schema string

	// ListenURL is where Watch listens for hints, for those whose URL leads to
	// PgBouncer: that passes none on. Empty: the URL that Open is given. Without
	// hints nodes hear of a logout by their next beat.
	ListenURL string

	// Readers is how many reads may be under way at once; more wait. Zero: 16.
	// Another 5 connections write, and each call of Watch has one.
	Readers int

	// Timeout is how long an operation waits for the server, at most, whatever
	// its context allows. For a lock that another node holds it waits a fifth of
	// that; a node that is stopped holds one for at most half of it. Zero: 10
	// seconds.
	Timeout time.Duration

	// NamedStatements has the server keep the statements that it has parsed also
	// behind PgBouncer, which costs the server far less. It does not work before
	// PgBouncer 1.21, nor with later ones without max_prepared_statements. Where
	// nothing stands in between the server keeps them in any case.
	NamedStatements bool

	// Logger gets warnings about settings of the server that endanger what it
	// acknowledged. Nil: slog.Default().
	Logger *slog.Logger
}

// writers are the connections that write: some for the groups, the others for
// beats, documents and purges, so that none of these waits for another.
const writers = groupsAtOnce + 3

// A Store keeps sessions in a PostgreSQL database. It is safe for concurrent use
// and implements [store.Store].
type Store struct {
	schema     schema
	statements statements
	timeout    time.Duration
	settled    bool // the connections that write have their settings for good
	clock      clock
	reads      *pgxpool.Pool
	writes     *pgxpool.Pool
	listen     *pgx.ConnConfig
	writer     *writer

	sessions *lookup[store.Session]
	values   *lookup[versioned]

	mu      sync.RWMutex    // held to begin an operation, and to begin to close
	closing context.Context // ends when Close is called
	close   func()
	closed  sync.WaitGroup // for the operations that do not go through the writer
	once    sync.Once
}

var _ store.Store = (*Store)(nil)

var errClosed = errors.New("postgres: the store is closed")

// Open connects to the database, and makes the schema or brings it up to date;
// several nodes may do so at once. It refuses a schema that a newer version has
// made, a server older than 14, and one that takes no writes, such as a standby.
// The URL is one of libpq's: see
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING.
// It may name several hosts: the one that takes writes is used. No error shows
// the password.
//
// The caller closes the store when nothing uses it any more.
func Open(ctx context.Context, url string, config Config) (*Store, error) {
	s, err := open(ctx, url, config)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, url string, config Config) (*Store, error) {
	config.Schema = cmp.Or(config.Schema, "counterfoil")
	config.ListenURL = cmp.Or(config.ListenURL, url)
	config.Readers = cmp.Or(config.Readers, 16)
	config.Timeout = cmp.Or(config.Timeout, 10*time.Second)
	config.Logger = cmp.Or(config.Logger, slog.Default())

	s := &Store{timeout: config.Timeout}
	var err error
	if s.schema, err = newSchema(config.Schema); err != nil {
		return nil, err
	}
	if s.listen, err = connConfig(config.ListenURL, config); err != nil {
		return nil, err
	}
	direct, err := s.setUp(ctx, url, config)
	if err != nil {
		return nil, err
	}
	s.settled = direct
	if s.reads, err = newPool(url, config, direct, config.Readers, keptPlans); err != nil {
		return nil, err
	}
	if s.writes, err = newPool(url, config, direct, writers, writeSettings(s.timeout)); err != nil {
		s.reads.Close()
		return nil, err
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.sessions = newLookup(s, sessionColumns, ``, scanSession, maxSessions)
	s.values = newLookup(s, valuesColumns, withValues, scanValues, maxValues)
	s.writer = startWriter(s)
	return s, nil
}

// setUp makes the schema fit for use, or says why it can't. It reports whether
// the URL leads to the server itself, and not to a pooler.
func (s *Store) setUp(ctx context.Context, url string, config Config) (direct bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 6*config.Timeout) // other nodes may be doing the same
	defer cancel()
	options, err := connConfig(url, config)
	if err != nil {
		return false, err
	}
	c, err := pgx.ConnectConfig(ctx, options)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closeConn(ctx, c)) }()
	if err := checkServer(ctx, c, config.Logger); err != nil {
		return false, err
	}
	if err := migrate(ctx, c, s.schema, migrations); err != nil {
		return false, err
	}
	return isDirect(ctx, c)
}

// InProcess implements [store.Store].
func (s *Store) InProcess() bool { return false }

// Close waits for the writes under way and ends the connections. Methods that
// are called later return an error.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.close()
		s.mu.Unlock()
		s.writer.stop()
		s.closed.Wait()
		s.reads.Close()
		s.writes.Close()
	})
	return nil
}
