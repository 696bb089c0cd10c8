package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// IF NOT EXISTS would ask for the right to make it where it exists.
const postgresSchema = `
DO $$ BEGIN
	IF to_regnamespace('counterfoil') IS NULL THEN CREATE SCHEMA counterfoil; END IF;
END $$;
`

const (
	// Nodes count by the server's clock. By their own, a node whose clock is
	// ahead would find a wait over that another has just begun.
	postgresNow = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`

	// The locks are waited for one by one, in the order given; only then is the
	// clock read. Whoever holds them and falls silent, such as a node that was
	// stopped, is cut off: the others go on. What is committed is safe from a
	// crash, whatever the rest of the database does with.
	postgresHold = `WITH held AS (SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k)
		SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
			set_config('idle_in_transaction_session_timeout', $2, true),
			CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN set_config('synchronous_commit', 'on', true) END
		FROM (SELECT count(*) FROM held) AS all_held`
)

// OpenPostgres makes ready for a server, and does not call it yet. The URL is
// postgres://USER:PASSWORD@HOST:PORT/DATABASE, with the parameters of libpq;
// what it leaves out comes from PGPASSWORD and its like. It works through a
// pooler that gives each transaction another connection. No error shows the
// password.
//
// SQLite has one writer at a time, and who uses this relies on that: he looks at a
// bucket and takes a place in it, looks for a user and adds him. Here each
// transaction takes advisory locks on what it is about, and runs at READ
// COMMITTED, where a statement after the lock sees all that the holder before
// has committed. One lock for everything would do as well, at the price of all
// nodes' logins one by one, each for as long as a commit takes; SERIALIZABLE would undo all but
// one of a hundred guesses at once, again and again; row locks do not hold a
// bucket that is not there yet.
func OpenPostgres(url string) (*DB, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	pool.SetConnMaxIdleTime(time.Minute)
	qualify := strings.NewReplacer(" account_", " counterfoil.account_", " outbox_", " counterfoil.outbox_", " client_", " counterfoil.client_")
	d := &DB{
		Conn:    Conn{pool, qualify.Replace},
		pool:    pool,
		begin:   &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		hold:    holdPostgres,
		doubt:   takeWarning,
		again:   isDeadlock,
		schema:  func(t Tables) string { return postgresSchema + t.Postgres },
		migrant: "counterfoil", // the sessions' store takes this lock as well: one of us makes the schema
		isMade:  `SELECT to_regclass('counterfoil.' || $1) IS NOT NULL`,
	}
	d.now = func(ctx context.Context) (time.Time, error) {
		var now int64
		err := d.One(ctx, Into(&now), postgresNow)
		return FromMillis(now), err
	}
	return d, nil
}

// postgresConns is how many connections a process has at most: enough for more
// logins than it can hash, and few, since nodes share the server's.
const postgresConns = 8

// parsePostgres reads the URL. What the driver says of a broken one is kept to
// ourselves: it may show a part of the password.
func parsePostgres(url string) (*pgx.ConnConfig, error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, errPostgresURL
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errPostgresURL
	}
	// Statements without names: a pooler may give each transaction to another
	// connection of its own.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, LongestWork/2)
	config.OnNotice = keepWarning
	// What a standby says is old: a user who was disabled may still be good there.
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	return config, nil
}

var errPostgresURL = errors.New("the URL can't be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, and special characters of the password as %XX (it is not shown here)")

func holdPostgres(ctx context.Context, tx *sql.Tx, subjects []string) (time.Time, error) {
	var now int64
	var set sql.NullString
	err := tx.QueryRowContext(ctx, postgresHold, lockKeys(subjects), LongestWork.String()).Scan(&now, &set, &set)
	return FromMillis(now), err
}

// lockKeys returns the keys of the subjects' advisory locks, in an order that is
// the same for all, so that no two transactions wait for each other. Two
// subjects that share a key merely wait for one another.
func lockKeys(subjects []string) []int64 {
	keys := make([]int64, len(subjects))
	for i, s := range subjects {
		h := fnv.New64a()
		io.WriteString(h, "counterfoil "+s)
		keys[i] = int64(h.Sum64())
	}
	slices.Sort(keys)
	return keys
}

const warningKey = "counterfoil.warning"

// keepWarning keeps what the server warns of. When the wait for the synchronous
// standby is cancelled the server reports success, and a warning: a failover may
// undo the commit. The warning has no code of its own, and its text is
// translated; so any will do.
func keepWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warningKey] = n
	}
}

// takeWarning returns the warning since the last call, if there is one.
func takeWarning(c *sql.Conn) error {
	return c.Raw(func(driver any) error {
		kept := driver.(*stdlib.Conn).Conn().PgConn().CustomData()
		n, warned := kept[warningKey].(*pgconn.Notice)
		if !warned {
			return nil
		}
		delete(kept, warningKey)
		return fmt.Errorf("the change was made, but may not survive a failover: the server warned: %w", (*pgconn.PgError)(n))
	})
}

// isDeadlock tells the victim of a deadlock. Purging takes no locks on what it
// removes, so it can meet a login that writes the same rows in another order.
func isDeadlock(err error) bool {
	server, ok := errors.AsType[*pgconn.PgError](err)
	return ok && server.Code == "40P01"
}
