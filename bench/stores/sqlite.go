package stores

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

// sqliteBackends are stores in files of their own in one directory.
func sqliteBackends(tb testing.TB) ([]contender, error) {
	dir := tb.TempDir()
	grouped, err := sqlite.Open(tb.Context(), filepath.Join(dir, "ours.db"), sqlite.Config{})
	if err != nil {
		return nil, err
	}
	tb.Cleanup(closing(tb, grouped.Close))
	peer, err := openSQLite(tb, filepath.Join(dir, "scs.db"))
	if err != nil {
		return nil, err
	}
	// The schema: https://github.com/alexedwards/scs/tree/master/sqlite3store
	if _, err := peer.Exec(`CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry)`); err != nil {
		return nil, err
	}
	single, err := newSQLiteRows(tb, filepath.Join(dir, "rows.db"))
	if err != nil {
		return nil, err
	}
	return []contender{
		{ourName, report.Ours, ours{grouped}},
		{rowName, report.Limit, single},
		{"scs", report.Peer, scs(sqlite3store.NewWithCleanupInterval(peer, 0))},
	}, nil
}

// openSQLite opens a file as durable as ours. One connection at a time does
// best: more wait for each other's locks by polling.
func openSQLite(tb testing.TB, path string) (*sql.DB, error) {
	db, err := driver.Open("file:" + path + "?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(10000)&_pragma=cache_size(-16384)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(closing(tb, db.Close))
	return db, nil
}

// sqliteRows writes the tables of store/sqlite with a transaction for each
// write, by statements that are prepared once.
type sqliteRows struct {
	db                                          *sql.DB
	insert, first, update, user, values, delete *sql.Stmt
	deleteValues, log                           *sql.Stmt
}

func newSQLiteRows(tb testing.TB, path string) (*sqliteRows, error) {
	s, err := sqlite.Open(tb.Context(), path, sqlite.Config{}) // makes the tables
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	r := &sqliteRows{}
	if r.db, err = openSQLite(tb, path); err != nil {
		return nil, err
	}
	var errs []error
	prepare := func(query string) *sql.Stmt {
		stmt, err := r.db.Prepare(query)
		errs = append(errs, err)
		return stmt
	}
	r.insert = prepare(`INSERT INTO session (sid, epoch, created, auth_time, last_seen, idle, deadline, persistent,
		secret, user, name, methods, user_agent, address) VALUES (?1, 0, ?2, ?2, ?2, ?3, ?4, 0, ?5, ?6, '', '', '', '')`)
	r.first = prepare(`INSERT INTO session_values (sid, version, data) VALUES (?, 1, ?)`)
	r.update = prepare(`UPDATE session_values SET version = version + 1, data = ?3 WHERE sid = ?1 AND version = ?2
		AND EXISTS (SELECT 1 FROM session WHERE sid = ?1 AND epoch = 0 AND +expires > ?4)`)
	r.user = prepare(`SELECT user FROM session WHERE sid = ? AND +expires > ?`)
	r.values = prepare(`SELECT data FROM session JOIN session_values USING (sid) WHERE sid = ? AND +expires > ?`)
	r.delete = prepare(`DELETE FROM session WHERE sid = ?`)
	r.deleteValues = prepare(`DELETE FROM session_values WHERE sid = ?`)
	r.log = prepare(`INSERT INTO ended (pos, id, kind, sid, expires) SELECT 1 + coalesce(max(pos), 0), randomblob(16), 1, ?, ? FROM ended`)
	return r, errors.Join(errs...)
}

// together runs statements in one transaction.
func (r *sqliteRows) together(ctx context.Context, do func(exec func(*sql.Stmt, ...any) error) error) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a commit
	if err := do(func(stmt *sql.Stmt, args ...any) error {
		_, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
		return err
	}); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *sqliteRows) Insert(ctx context.Context, id key) error {
	secret, now := sha256.Sum256([]byte(id.token)), time.Now()
	return r.together(ctx, func(exec func(*sql.Stmt, ...any) error) error {
		return errors.Join(
			exec(r.insert, id.sid[:], now.UnixMilli(), idle.Milliseconds(), now.Add(lifetime).UnixMilli(), secret[:], user(id.n)),
			exec(r.first, id.sid[:], values(id.n, 0)),
		)
	})
}

func (r *sqliteRows) Update(ctx context.Context, id key, version uint64, values []byte) error {
	result, err := r.update.ExecContext(ctx, id.sid[:], int64(version), values, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errAbsent, err)
	}
	return nil
}

func (r *sqliteRows) User(ctx context.Context, id key) (user string, err error) {
	err = r.user.QueryRowContext(ctx, id.sid[:], time.Now().UnixMilli()).Scan(&user)
	return user, err
}

func (r *sqliteRows) Values(ctx context.Context, id key) (values []byte, err error) {
	err = r.values.QueryRowContext(ctx, id.sid[:], time.Now().UnixMilli()).Scan(&values)
	return values, err
}

func (r *sqliteRows) Delete(ctx context.Context, id key) error {
	return r.together(ctx, func(exec func(*sql.Stmt, ...any) error) error {
		return errors.Join(
			exec(r.delete, id.sid[:]),
			exec(r.deleteValues, id.sid[:]),
			exec(r.log, id.sid[:], time.Now().Add(10*time.Minute).UnixMilli()),
		)
	})
}
