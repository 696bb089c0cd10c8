package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
)

// "It uses an index": no statement that is made often reads a whole table, which
// the epoch and the head, of one row each, are not.
func TestPlans(t *testing.T) {
	url := servers.Postgres(t)
	s := openAt(t, url, Config{})
	c := connect(t, url)
	mustExec(t, c, `INSERT INTO counterfoil.session (sid, epoch, created, auth_time, last_seen, idle, deadline,
			persistent, secret, user_id, name, methods, user_agent, address)
		SELECT gen_random_uuid(), 0, n, n, n, 1000, 10 * n, false, '', convert_to('user-' || n % 5000, 'UTF8'), '', '', '', ''
		FROM generate_series(1, 20000) n`)
	mustExec(t, c, `INSERT INTO counterfoil.ended (pos, id, kind, sid, expires)
		SELECT n, gen_random_uuid(), 1, gen_random_uuid(), n FROM generate_series(1, 20000) n`)
	mustExec(t, c, `ANALYZE counterfoil.session, counterfoil.ended`)
	for _, statement := range []string{
		strings.ReplaceAll(selectLive, "$1", "0") + ` AND sid = '01a21945-e864-7e51-98dd-1fccea6720b6'`,
		strings.ReplaceAll(selectLive, "$1", "0") + ` AND sid > '00000000-0000-0000-0000-000000000000' AND user_id = 'user-1' AND user_id <> '' ORDER BY sid LIMIT 100`,
		lockSessions,
		lockTheirs,
		`SELECT ` + entryColumns + ` FROM cf.ended WHERE pos > 19000 ORDER BY pos LIMIT 100`,
		`SELECT sid FROM cf.session WHERE (epoch, expires) <= (0, 5) ORDER BY epoch, expires LIMIT 100 FOR UPDATE SKIP LOCKED`,
		`SELECT kind FROM cf.ended WHERE sid = ANY ($1::uuid[])`,
	} {
		statement = strings.NewReplacer("$1::uuid[]", "ARRAY['01a21945-e864-7e51-98dd-1fccea6720b6'::uuid]", "$2::bytea[]", "ARRAY['user-1'::bytea]").Replace(statement)
		rows, err := c.Query(t.Context(), `EXPLAIN `+s.schema.sql(statement))
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		var plan []string
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		if all := strings.Join(plan, "\n"); strings.Contains(all, "Seq Scan on session") || strings.Contains(all, "Seq Scan on ended") {
			t.Errorf("%s reads the whole table:\n%s", statement, all)
		}
	}
}

// Statements that the server keeps have their plans perhaps from a time when the
// tables were empty. No plan of then reads them whole once they are large.
func TestPlansOfEmptyTables(t *testing.T) {
	url := servers.Postgres(t)
	s := openAt(t, url, Config{Readers: 1})
	ctx := t.Context()
	use := func() {
		for i := range 12 { // the server decides on a plan to keep after five times
			c := login(i)
			c.Limit = 100
			id := mustCreate(t, s, c)
			if _, err := s.Find(ctx, id); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Values(ctx, id); err != nil {
				t.Fatal(err)
			}
			if err := s.SaveValues(ctx, id, 1, []byte("values")); err != nil {
				t.Fatal(err)
			}
			if err := s.Touch(ctx, []store.Touch{{ID: id, At: time.Now()}}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.End(ctx, id, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := connect(t, url)
	mustExec(t, c, `VACUUM ANALYZE`) // they are known to be empty
	use()
	const rows = 20_000
	mustExec(t, c, `INSERT INTO counterfoil.session (sid, epoch, created, auth_time, last_seen, idle, deadline,
			persistent, secret, user_id, name, methods, user_agent, address)
		SELECT gen_random_uuid(), 0, n, n, n, 1e14, 1e14, false, '', convert_to('other-' || n % 5000, 'UTF8'), '', '', '', ''
		FROM generate_series(1, $1) n`, rows)
	mustExec(t, c, `INSERT INTO counterfoil.session_values (sid, version, data) SELECT sid, 1, '' FROM counterfoil.session`)
	mustExec(t, c, `INSERT INTO counterfoil.generation (user_id, ended_all) SELECT DISTINCT user_id, 0 FROM counterfoil.session ON CONFLICT DO NOTHING`)
	before := rowsRead(t, s)
	use()
	if n := rowsRead(t, s) - before; n >= rows {
		t.Errorf("after the tables have grown, whole tables are read: %d rows", n)
	}
}

// rowsRead is how many rows the server has read so far in scans of whole tables
// that can be large, and how many entries of their indexes.
func rowsRead(t *testing.T, s *Store) (n int) {
	t.Helper()
	for _, pool := range []*pgxpool.Pool{s.reads, s.writes} {
		for _, c := range pool.AcquireAllIdle(t.Context()) {
			_, err := c.Exec(t.Context(), `SELECT pg_stat_force_next_flush()`)
			c.Release()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.reads.QueryRow(t.Context(), `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables
			WHERE relname IN ('session', 'session_values', 'generation', 'ended'))
		+ (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
