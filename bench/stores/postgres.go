package stores

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store/postgres"
)

// postgresBackends are stores in databases of their own on one server.
func postgresBackends(tb testing.TB) ([]contender, error) {
	server := servers.StartPostgres(tb, nil)
	grouped, err := postgres.Open(tb.Context(), server.Database(), postgres.Config{})
	if err != nil {
		return nil, err
	}
	tb.Cleanup(closing(tb, grouped.Close))
	peer, err := newPostgresPool(tb, server.Database())
	if err != nil {
		return nil, err
	}
	// The schema: https://github.com/alexedwards/scs/tree/master/pgxstore
	if _, err := peer.Exec(tb.Context(), `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry)`); err != nil {
		return nil, err
	}
	single, err := newPostgresRows(tb, server.Database())
	if err != nil {
		return nil, err
	}
	return []contender{
		{ourName, report.Ours, ours{grouped}},
		{rowName, report.Limit, single},
		{"scs", report.Peer, scs(pgxstore.NewWithCleanupInterval(peer, 0))},
	}, nil
}

// newPostgresPool has a connection for every client, so that the server commits
// together what comes together.
func newPostgresPool(tb testing.TB, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = manyClients
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err == nil {
		tb.Cleanup(pool.Close)
	}
	return pool, err
}

// postgresRows writes the tables of store/postgres with a transaction for each
// write, all of it sent at once, by statements that the driver has the server
// keep.
type postgresRows struct{ pool *pgxpool.Pool }

func newPostgresRows(tb testing.TB, url string) (postgresRows, error) {
	s, err := postgres.Open(tb.Context(), url, postgres.Config{}) // makes the tables
	if err != nil {
		return postgresRows{}, err
	}
	if err := s.Close(); err != nil {
		return postgresRows{}, err
	}
	pool, err := newPostgresPool(tb, url)
	return postgresRows{pool}, err
}

func (r postgresRows) Insert(ctx context.Context, id key) error {
	secret, now := sha256.Sum256([]byte(id.token)), time.Now()
	b := &pgx.Batch{} // a transaction, if nothing else is said
	b.Queue(`INSERT INTO counterfoil.session (sid, epoch, created, auth_time, last_seen, idle, deadline, persistent,
		secret, user_id, name, methods, user_agent, address) VALUES ($1, 0, $2, $2, $2, $3, $4, false, $5, $6, '', '', '', '')`,
		[16]byte(id.sid), now.UnixMilli(), idle.Milliseconds(), now.Add(lifetime).UnixMilli(), secret[:], []byte(user(id.n)))
	b.Queue(`INSERT INTO counterfoil.session_values (sid, version, data) VALUES ($1, 1, $2)`, [16]byte(id.sid), values(id.n, 0))
	return r.pool.SendBatch(ctx, b).Close()
}

// Update keeps the index by epoch and expiry out (+epoch): planned while the tables
// are empty, the statement would read all of it.
func (r postgresRows) Update(ctx context.Context, id key, version uint64, values []byte) error {
	tag, err := r.pool.Exec(ctx, `UPDATE counterfoil.session_values SET version = version + 1, data = $3 WHERE sid = $1 AND version = $2
		AND EXISTS (SELECT FROM counterfoil.session WHERE sid = $1 AND +epoch = 0 AND expires > $4)`,
		[16]byte(id.sid), int64(version), values, time.Now().UnixMilli())
	if err == nil && tag.RowsAffected() != 1 {
		err = errAbsent
	}
	return err
}

func (r postgresRows) User(ctx context.Context, id key) (string, error) {
	var user []byte
	err := r.pool.QueryRow(ctx, `SELECT user_id FROM counterfoil.session WHERE sid = $1 AND expires > $2`,
		[16]byte(id.sid), time.Now().UnixMilli()).Scan(&user)
	return string(user), err
}

func (r postgresRows) Values(ctx context.Context, id key) (values []byte, err error) {
	err = r.pool.QueryRow(ctx, `SELECT data FROM counterfoil.session JOIN counterfoil.session_values USING (sid) WHERE sid = $1 AND expires > $2`,
		[16]byte(id.sid), time.Now().UnixMilli()).Scan(&values)
	return values, err
}

// Delete appends to the log as all must who append to it: one after the other.
func (r postgresRows) Delete(ctx context.Context, id key) error {
	b := &pgx.Batch{}
	b.Queue(`DELETE FROM counterfoil.session WHERE sid = $1`, [16]byte(id.sid))
	b.Queue(`DELETE FROM counterfoil.session_values WHERE sid = $1`, [16]byte(id.sid))
	b.Queue(`WITH head AS (UPDATE counterfoil.head SET pos = pos + 1, id = gen_random_uuid() RETURNING pos, id)
		INSERT INTO counterfoil.ended (pos, id, kind, sid, expires) SELECT pos, id, 1, $1, $2 FROM head`,
		[16]byte(id.sid), time.Now().Add(10*time.Minute).UnixMilli())
	return r.pool.SendBatch(ctx, b).Close()
}
