package middleware

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/postgres"
	"github.com/counterfoil/counterfoil/store/redis"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

// ours opens one of our stores, with its defaults.
func ours[S store.Store](tb testing.TB, s S, err error) store.Store {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// on notes where the sessions of applications are.
func on(database string, apps ...app) []app {
	for i := range apps {
		apps[i].database = database
	}
	return apps
}

func onRedis(tb testing.TB, url string) []app {
	options, err := goredis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	client := goredis.NewClient(options)
	tb.Cleanup(func() { client.Close() })
	s, err := redis.Open(tb.Context(), url, redis.Config{})
	return on("Redis",
		newSCS("scs, goredisstore", goredisstore.New(client)),
		newCounterfoil(tb, "Counterfoil, Redis", ours(tb, s, err)),
	)
}

// The table of pgxstore's README.
const pgxTable = `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
CREATE INDEX sessions_expiry_idx ON sessions (expiry);`

func onPostgres(tb testing.TB, url string) []app {
	pool, err := pgxpool.New(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	if _, err := pool.Exec(tb.Context(), pgxTable); err != nil {
		tb.Fatal(err)
	}
	scs := pgxstore.New(pool)
	tb.Cleanup(scs.StopCleanup)
	s, err := postgres.Open(tb.Context(), url, postgres.Config{})
	return on("PostgreSQL",
		newSCS("scs, pgxstore", scs),
		newCounterfoil(tb, "Counterfoil, PostgreSQL", ours(tb, s, err)),
	)
}

// The table of sqlite3store's README.
const sqliteTable = `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
CREATE INDEX sessions_expiry_idx ON sessions(expiry);`

// onSQLite gives both what a database that may not lose a commit is set to: a
// write-ahead log, and synchronous=FULL. With SQLite's default, a rollback
// journal, its readers and writers would wait for each other.
func onSQLite(tb testing.TB, dir string) []app {
	db, err := sql.Open("sqlite3", sqliteURL(filepath.Join(dir, "scs.db")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	if _, err := db.ExecContext(context.WithoutCancel(tb.Context()), sqliteTable); err != nil {
		tb.Fatal(err)
	}
	scs := sqlite3store.New(db)
	tb.Cleanup(scs.StopCleanup)
	s, err := sqlite.Open(tb.Context(), filepath.Join(dir, "ours.db"), sqlite.Config{})
	return on("SQLite",
		newSCS("scs, sqlite3store", scs),
		newCounterfoil(tb, "Counterfoil, SQLite", ours(tb, s, err)),
	)
}
