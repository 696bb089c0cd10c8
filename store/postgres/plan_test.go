package postgres

import (
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/servers"
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
		lockSessions + whereNamed,
		lockSessions + whereNamed + orOfUsers,
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
