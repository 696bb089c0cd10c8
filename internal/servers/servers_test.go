package servers_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// query returns the text that the last of the statements yields.
func query(ctx context.Context, url, sql string) (string, error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer c.Close(context.WithoutCancel(ctx))
	results, err := c.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	return string(results[len(results)-1].Rows[0][0]), nil
}

func mustQuery(t *testing.T, url, sql, want string) {
	t.Helper()
	if got, err := query(t.Context(), url, sql); err != nil || got != want {
		t.Fatalf("%s: got %q, error %v; want %q", sql, got, err, want)
	}
}

// Each caller has a database of his own, on a server that commits to the disk.
func TestPostgres(t *testing.T) {
	one, two := servers.Postgres(t), servers.Postgres(t)
	mustQuery(t, one, `CREATE TABLE t (x text); INSERT INTO t VALUES ('one') RETURNING x`, "one")
	mustQuery(t, two, `SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'`, "0")
	mustQuery(t, two, `SHOW fsync`, "on")
}

// What the tests of faults do with a server of their own.
func TestPostgresFaults(t *testing.T) {
	s := servers.StartPostgres(t, map[string]string{"work_mem": "5MB"})
	url := s.Database()
	mustQuery(t, url, `SHOW work_mem`, "5MB")
	s.Set("work_mem", "6MB")
	mustQuery(t, url, `SHOW work_mem`, "6MB")

	mustQuery(t, url, `CREATE TABLE t (x text); INSERT INTO t VALUES ('one') RETURNING x`, "one")
	s.Kill()
	if _, err := query(t.Context(), url, `SELECT 'one'`); err == nil {
		t.Error("a killed server answers")
	}
	s.Start()
	mustQuery(t, url, `SELECT x FROM t`, "one")

	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := query(ctx, url, `SELECT 'one'`); err == nil {
		t.Error("a paused server answers")
	}
	s.Resume()
	mustQuery(t, url, `SELECT x FROM t`, "one")

	backup := s.Backup()
	mustQuery(t, url, `UPDATE t SET x = 'two' RETURNING x`, "two")
	s.Restore(backup)
	mustQuery(t, url, `SELECT x FROM t`, "one")
}
