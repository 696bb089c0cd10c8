package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errURL says nothing of what the URL holds, which is a password.
var errURL = errors.New("the URL can't be read: it looks like postgres://user:password@host:5432/database?sslmode=verify-full, " +
	"with what is special in the password percent-encoded, and the files that it names must be there")

// keptPlans are settings for statements that the server plans once, perhaps while
// the tables are empty: it must not come to read whole ones that have grown.
var keptPlans = map[string]string{"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}

// newPool returns a pool of connections. The settings are for those that lead to
// the server itself: elsewhere the server's session is not ours.
func newPool(url string, config Config, direct bool, size int, settings map[string]string) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	c.MaxConns = int32(size)
	c.PingTimeout = config.Timeout / 2
	prepare(c.ConnConfig, config)
	if direct {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
		maps.Copy(c.ConnConfig.RuntimeParams, settings)
	}
	return pgxpool.NewWithConfig(context.Background(), c) // connects when it is used
}

func connConfig(url string, config Config) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	prepare(c, config)
	return c, nil
}

func prepare(c *pgx.ConnConfig, config Config) {
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // no state stays in the server's session
	if config.NamedStatements {
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	c.DialFunc = dialer.DialContext
	c.ConnectTimeout = config.Timeout
	c.ValidateConnect = takesWrites
	c.OnNotice = keepWarning
}

// isDirect reports whether the connection leads to the process of the server that
// answers: a pooler names none, or another one.
func isDirect(ctx context.Context, c *pgx.Conn) (bool, error) {
	var pid uint32
	err := c.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid)
	return pid == c.PgConn().PID(), err
}

// closeConn takes leave of the server, for at most a second, whatever has become
// of the context.
func closeConn(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return c.Close(ctx)
}

// takesWrites refuses a server that does not take writes: what it answers may
// be old. With several hosts in the URL the next one is tried.
func takesWrites(ctx context.Context, c *pgconn.PgConn) error {
	results, err := c.Exec(ctx, `SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'`).ReadAll()
	if err != nil {
		return err
	}
	row := results[0].Rows[0]
	switch {
	case string(row[0]) == "t":
		return errors.New("the server is a standby, which takes no writes: connect to the primary")
	case string(row[1]) == "t":
		return errors.New("the server, the database or the role has default_transaction_read_only on: turn it off, or connect to the primary")
	}
	return nil
}

// checkServer refuses a server that is too old, and warns of settings with
// which a crash can undo what was acknowledged.
func checkServer(ctx context.Context, c *pgx.Conn, logger *slog.Logger) error {
	var version int
	var fsync, pages, commit string
	if err := c.QueryRow(ctx, `SELECT current_setting('server_version_num')::integer,
		current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`).
		Scan(&version, &fsync, &pages, &commit); err != nil {
		return err
	}
	if version < 14_00_00 {
		return fmt.Errorf("the server is PostgreSQL %d: at least 14 is needed", version/10000)
	}
	if fsync == "off" {
		logger.WarnContext(ctx, "PostgreSQL has fsync off: a crash of its machine can undo logouts. Turn it on.")
	}
	if pages == "off" {
		logger.WarnContext(ctx, "PostgreSQL has full_page_writes off: a crash of its machine can damage the database and undo logouts. Turn it on.")
	}
	if commit == "off" || commit == "local" {
		logger.WarnContext(ctx, "PostgreSQL has synchronous_commit weaker than on for this role or database, with which a crash can undo logouts. Counterfoil's own writes use on.",
			"synchronous_commit", commit)
	}
	return nil
}

// The warning that the server has sent in the course of a transaction.
const warningKey = "counterfoil.warning"

// keepWarning keeps what the server warns of while a connection is used. A
// cancelled wait for the synchronous standby is reported so, and the commit as
// successful. It can't be told by its code, which is that of any warning, nor by
// its text, which is translated: so any warning counts, but for the one about
// the queue of notifications.
func keepWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" && n.Routine != "asyncQueueFillWarning" {
		c.CustomData()[warningKey] = n
	}
}

// takeWarning returns the warning since the last call, if there is one.
func takeWarning(c *pgx.Conn) error {
	n, warned := c.PgConn().CustomData()[warningKey].(*pgconn.Notice)
	if !warned {
		return nil
	}
	delete(c.PgConn().CustomData(), warningKey)
	return fmt.Errorf("the server warned: %w", (*pgconn.PgError)(n))
}

// answered reports whether the error is the server's refusal of a statement:
// the transaction is then undone, and the connection goes on.
func answered(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.SeverityUnlocalized == "ERROR"
}

func hasCode(err error, codes ...string) bool {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return false
	}
	for _, code := range codes {
		if refusal.Code == code {
			return true
		}
	}
	return false
}
