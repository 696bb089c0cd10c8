package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server/database"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/servers"
)

// node opens accounts as a server does, with the server's clock.
func node(t testing.TB, url string) *Accounts {
	t.Helper()
	return opened(t)(OpenPostgres(t.Context(), url, Config{cost: cheap, HashParallelism: 64}))
}

func nodes(t testing.TB, n int) []*Accounts {
	url := servers.Postgres(t)
	var all []*Accounts
	for range n {
		all = append(all, node(t, url))
	}
	return all
}

// bucketOf tells how many failures are counted.
func bucketOf(t testing.TB, a *Accounts, key []byte) int {
	t.Helper()
	return count(t, a, `SELECT coalesce(max(failures), 0) FROM account_throttle WHERE bucket = $1`, key)
}

func TestNodesCountEachGuessOnce(t *testing.T) {
	const why = "D15: guesses at several nodes at once count one by one, at each name and address"
	all := nodes(t, 3)
	for _, err := range parallel(15, func(i int) error {
		return login(t, all[i%3], fmt.Sprint("name", i), "wrong", here)
	}) {
		wantError(t, err, ErrCredentials)
	}
	if n := bucketOf(t, all[0], bucketKey("address", placeOf(here))); n != 15 {
		t.Errorf("15 guesses from one address count %d: %s", n, why)
	}

	add(t, all[0], "john")
	from := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }
	checked := 0
	for _, err := range parallel(30, func(i int) error { return login(t, all[i%3], "john", "wrong", from(i)) }) {
		if errors.Is(err, ErrCredentials) {
			checked++
		} else {
			wantThrottled(t, err)
		}
	}
	if checked < freePerson || checked > freePerson+3 { // the wait after the fifth is a second
		t.Errorf("of 30 guesses at once at three nodes %d were checked, want %d: %s", checked, freePerson, why)
	}
	if n := bucketOf(t, all[0], bucketKey("stranger", "john")); n != checked {
		t.Errorf("%d guesses that were checked count %d: %s", checked, n, why)
	}
}

// Of one user, the numbers of debts grow in the order of commits. Otherwise who
// ends the sessions of a newer debt clears one that nobody has seen yet.
func TestCutoffsAreNumberedAsTheyCommit(t *testing.T) {
	all := nodes(t, 2)
	john := add(t, all[0], "john")
	change, finish := make(chan error), make(chan struct{})
	go func() {
		_, err := all[0].cutOff(t.Context(), john.ID, func(tx *database.Tx) error {
			err := tx.Change(t.Context(), sqlUserDisable, true, john.ID)
			change <- nil
			<-finish
			return err
		})
		change <- err
	}()
	<-change
	newer := make(chan Cutoff, 1)
	go func() {
		c, err := all[1].SetPassword(t.Context(), john.ID, another)
		if err != nil {
			t.Error(err)
		}
		newer <- c
	}()
	select {
	case c := <-newer:
		t.Errorf("debt %d overtook one that was begun before", c.Seq)
	case <-time.After(200 * time.Millisecond): // it waits
	}
	close(finish)
	if err := <-change; err != nil {
		t.Fatal(err)
	}
	second := <-newer
	pending, err := all[0].PendingCutoffs(t.Context())
	if err != nil || !slices.Equal(pending, []Cutoff{second}) {
		t.Errorf("pending = %v, %v, want %v, which covers both", pending, err, second)
	}
}

// A login that is being recorded remembers where the user is known. It must not
// do so after a new password has forgotten that.
func TestChangesOfAUserTakeTurns(t *testing.T) {
	for change, do := range changes {
		all := nodes(t, 2)
		john := add(t, all[0], "john")
		held, release, over := make(chan struct{}), make(chan struct{}), make(chan error, 2)
		go func() {
			over <- all[0].db.Write(t.Context(), []string{userSubject(john.ID)}, func(*database.Tx) error {
				close(held)
				<-release
				return nil
			})
		}()
		<-held
		go func() { over <- second(do(t.Context(), all[1], john.ID)) }()
		select {
		case err := <-over:
			t.Errorf("%s did not wait for another transaction about the user", change)
			over <- err
		case <-time.After(200 * time.Millisecond):
		}
		close(release)
		for range 2 {
			if err := <-over; err != nil {
				t.Errorf("%s: %v", change, err)
			}
		}
	}
}

func TestNodesSettleAtOnce(t *testing.T) {
	const why = "a debt that is made while several nodes clear others stays"
	all := nodes(t, 3)
	john := add(t, all[0], "john")
	var made []Cutoff
	for range 10 {
		c, err := all[0].Disable(t.Context(), john.ID)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, c)
		for _, err := range parallel(6, func(i int) error { return all[i%3].CutoffDone(t.Context(), made[max(0, len(made)-2)]) }) {
			if err != nil {
				t.Error(err)
			}
		}
		pending, err := all[1].PendingCutoffs(t.Context())
		if err != nil || (len(made) > 1 && !slices.Equal(pending, []Cutoff{c})) {
			t.Errorf("pending = %v, %v, want %v: %s", pending, err, c, why)
		}
	}
}

func TestNodesCountByTheServersClock(t *testing.T) {
	const why = "a node whose own clock is wrong ends nobody's wait, and begins none: all count by the server's"
	a := node(t, servers.Postgres(t))
	var now, txNow time.Time
	now, err := a.db.Now(t.Context())
	if err == nil {
		err = a.db.Write(t.Context(), nil, func(tx *database.Tx) error { txNow = tx.Now; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	var server int64
	if err := a.db.One(t.Context(), database.Into(&server), `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now, txNow} {
		if d := database.FromMillis(server).Sub(at); d < 0 || d > 10*time.Second {
			t.Errorf("a node counts by %v, the server by %v: %s", at, database.FromMillis(server), why)
		}
	}
	// A transaction's own time, now(), is that of its begin. Who has waited for
	// a lock needs the time after.
	held, release := make(chan struct{}), make(chan struct{})
	go a.db.Write(t.Context(), []string{"x"}, func(tx *database.Tx) error {
		close(held)
		<-release
		return nil
	})
	<-held
	time.AfterFunc(300*time.Millisecond, func() { close(release) })
	began, err := a.db.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.db.Write(t.Context(), []string{"x"}, func(tx *database.Tx) error { txNow = tx.Now; return nil }); err != nil {
		t.Fatal(err)
	}
	if waited := txNow.Sub(began); waited < 200*time.Millisecond {
		t.Errorf("after a wait of 300 ms a transaction counts by a time %v later", waited)
	}
}

func TestKilledServerAcceptsNobody(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t, nil)
	a := node(t, server.Database())
	u := add(t, a, "john")
	if err := login(t, a, "john", good, here); err != nil {
		t.Fatal(err)
	}
	derive := a.hasher.derive
	a.hasher.derive = func(password, salt []byte, c cost) []byte {
		server.Kill() // the password is right, and the outcome can't be recorded
		a.hasher.derive = derive
		return derive(password, salt, c)
	}
	for call, err := range map[string]error{
		"Authenticate while it is killed": login(t, a, "john", good, here),
		"Authenticate":                    login(t, a, "john", good, here),
		"AddFirst":                        second(a.AddFirst(t.Context(), "jane", good)),
		"Disable":                         second(a.Disable(t.Context(), u.ID)),
		"PendingCutoffs":                  second(a.PendingCutoffs(t.Context())),
		"Empty":                           second(a.Empty(t.Context())),
	} {
		if err == nil || errors.Is(err, ErrCredentials) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotEmpty) {
			t.Errorf("%s on a killed server: %v, want an error of the database", call, err)
		}
	}
	server.Start()
	if err := login(t, a, "john", good, here); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if n := count(t, a, `SELECT count(*) FROM account_attempt`); n != 1 {
		t.Errorf("%d attempts without an outcome, want the one that the kill cut off: it counts as failed in a minute", n)
	}
}

func TestSilentServerIsAnError(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t, nil)
	a := node(t, server.Database())
	add(t, a, "john")
	server.Pause()
	defer server.Resume()
	start := time.Now()
	err := login(t, a, "john", good, here)
	if !errors.Is(err, database.ErrSilent) {
		t.Errorf("a server that is stopped: %v, want %v", err, database.ErrSilent)
	}
	if waited := time.Since(start); waited > database.LongestWork+5*time.Second {
		t.Errorf("a login waited %v for it", waited)
	}
	ctx, hangUp := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer hangUp()
	if _, err := a.Authenticate(ctx, Attempt{Name: "john", Password: good}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a visitor who goes: %v", err)
	}
}

// A node that is stopped in the middle of a transaction holds locks.
func TestSilentNodeIsCutOff(t *testing.T) {
	a := node(t, servers.Postgres(t))
	held, release, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		over <- a.db.Write(t.Context(), []string{"users"}, func(tx *database.Tx) error {
			var timeout string
			if err := tx.One(t.Context(), database.Into(&timeout), `SHOW idle_in_transaction_session_timeout`); err != nil || timeout != database.LongestWork.String() {
				t.Errorf("the server cuts a silent node off after %q (%v), want %v", timeout, err, database.LongestWork)
			}
			_, err := tx.Exec(t.Context(), `SET LOCAL idle_in_transaction_session_timeout = '100ms'`)
			close(held)
			<-release
			return err
		})
	}()
	<-held
	if _, err := a.Add(t.Context(), "john", good); err != nil {
		t.Errorf("others wait for it until then, and no longer: %v", err)
	}
	close(release)
	if err := <-over; err == nil {
		t.Error("a node that was cut off takes its transaction for done")
	}
}

// A commit whose wait for the synchronous standby was cancelled is reported as
// successful, with a warning. It may be missing after a failover: nobody may
// take it for done.
func TestStandbyWaitCancelled(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t, nil)
	url := server.Database()
	a, operator := node(t, url), node(t, url)
	u := add(t, a, "john")
	server.Set("synchronous_standby_names", "missing")
	result := make(chan error, 1)
	go func() { result <- second(a.Disable(t.Context(), u.ID)) }()
	for cancelled := 0; cancelled == 0; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-result:
			t.Fatalf("Disable did not wait for the standby: %v", err)
		default:
		}
		cancelled = count(t, operator, `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
	}
	if err := <-result; err == nil || !strings.Contains(err.Error(), "may not survive a failover") {
		t.Errorf("Disable: %v, want an error", err)
	}
	server.Set("synchronous_standby_names", "")
	if _, err := a.Disable(t.Context(), u.ID); err != nil {
		t.Errorf("repeated: %v", err)
	}
}

// A pooler gives each transaction any of its connections.
func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	url := servers.PgBouncer(t, servers.Postgres(t), 2)
	all := []*Accounts{node(t, url), node(t, url)}
	add(t, all[0], "john")
	for _, err := range parallel(20, func(i int) error { return login(t, all[i%2], "john", good, here) }) {
		if err != nil {
			t.Errorf("right passwords: %v", err)
		}
	}
	for range 4 {
		wantError(t, login(t, all[1], "john", "wrong", here), ErrCredentials)
	}
	for _, err := range parallel(10, func(i int) error { return login(t, all[i%2], fmt.Sprint("name", i), "wrong", elsewhere) }) {
		wantError(t, err, ErrCredentials)
	}
	if n := bucketOf(t, all[0], bucketKey("address", placeOf(elsewhere))); n != 10 {
		t.Errorf("10 guesses from one address count %d", n)
	}
}

func TestDeadlockIsTriedAgain(t *testing.T) {
	a := node(t, servers.Postgres(t))
	one, two := bucketKey("one"), bucketKey("two")
	for _, key := range [][]byte{one, two} {
		if _, err := a.db.Exec(t.Context(), sqlBucketSet, key, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	both := make(chan struct{}, 2)
	for _, err := range parallel(2, func(i int) error {
		order := [][]byte{one, two}
		if i == 1 {
			slices.Reverse(order)
		}
		first := true
		return a.db.Write(t.Context(), nil, func(tx *database.Tx) error {
			if err := countFailure(t.Context(), tx, order[0]); err != nil {
				return err
			}
			if first { // each waits until the other has locked a row
				first = false
				both <- struct{}{}
				for len(both) < 2 {
					time.Sleep(time.Millisecond)
				}
			}
			return countFailure(t.Context(), tx, order[1])
		})
	}) {
		if err != nil {
			t.Errorf("a transaction that meets another: %v", err)
		}
	}
}

func TestCommitsAreSafe(t *testing.T) {
	const why = "what is acknowledged survives a crash, whatever the database's default is"
	for setting, want := range map[string]string{"off": "on", "local": "on", "remote_apply": "remote_apply"} {
		base := servers.Postgres(t)
		a := node(t, base+"&options=-csynchronous_commit%3D"+setting)
		err := a.db.Write(t.Context(), nil, func(tx *database.Tx) error {
			var got string
			err := tx.One(t.Context(), database.Into(&got), `SHOW synchronous_commit`)
			if got != want {
				t.Errorf("with synchronous_commit %s transactions run with %s, want %s: %s", setting, got, want, why)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestIsolationIsOurs(t *testing.T) {
	const why = "with REPEATABLE READ a transaction would see what was before the lock that it waited for"
	a := node(t, servers.Postgres(t)+"&options=-cdefault_transaction_isolation%3Dserializable")
	err := a.db.Write(t.Context(), nil, func(tx *database.Tx) error {
		var got string
		err := tx.One(t.Context(), database.Into(&got), `SHOW transaction_isolation`)
		if got != "read committed" {
			t.Errorf("transactions run at %s: %s", got, why)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPostgresHoldsNoSecrets(t *testing.T) {
	const why = "req 7: what is read out of the database opens nothing"
	a := node(t, servers.Postgres(t))
	u := add(t, a, "john")
	device, err := a.RememberDevice(t.Context(), u.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	const slip = "a-password-typed-as-the-name"
	wantError(t, login(t, a, slip, "wrong-guess", here), ErrCredentials)
	for _, table := range []string{"user", "cutoff", "device", "place", "throttle", "attempt"} {
		err := a.db.Write(t.Context(), nil, func(tx *database.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL bytea_output = escape`); err != nil {
				return err
			}
			return tx.Each(t.Context(), func(scan database.Scanner) error {
				var row string
				err := scan(&row)
				for _, secret := range []string{good, device, slip, "wrong-guess"} {
					if strings.Contains(row, secret) {
						t.Errorf("the table of a %s holds %q: %s", table, secret, why)
					}
				}
				return err
			}, `SELECT t::text FROM account_`+table+` AS t`)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestOpenPostgresRefuses(t *testing.T) {
	newer := servers.Postgres(t)
	if _, err := node(t, newer).db.Exec(t.Context(), `UPDATE account_schema SET version = 99`); err != nil {
		t.Fatal(err)
	}
	there, err := url.Parse(newer)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*url.URL)) string {
		u := *there
		change(&u)
		return u.String()
	}
	for _, c := range []struct{ url, want, why string }{
		{newer, "newer", "what a newer program wrote is not touched, and the operator reads the next step"},
		{with(func(u *url.URL) { u.User = url.UserPassword("postgres", "hunter2") }), "password authentication failed", "a wrong password is told, and not shown"},
		{with(func(u *url.URL) { u.User = url.UserPassword("postgres", "hunter2"); u.Host = "127.0.0.1:1" }), "connection refused", "so is an address where nobody listens"},
		{with(func(u *url.URL) { u.Path = "elsewhere" }), "does not exist", "no database is made up"},
		{newer + "&options=-cdefault_transaction_read_only%3Don", "read only", "what takes no writes is no database for users"},
		{"postgres://john:hunter2%zz@host/db", "postgres://USER:PASSWORD@HOST", "a URL that can't be read is not shown: not in parts either"},
		{"host=db password=hunter2", "postgres://USER:PASSWORD@HOST", "it is a URL"},
	} {
		a, err := OpenPostgres(t.Context(), c.url, Config{cost: cheap})
		if err == nil {
			a.Close()
			t.Errorf("OpenPostgres succeeds: %s", c.why)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("OpenPostgres: %q does not say %q: %s", err, c.want, c.why)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("OpenPostgres: %q shows the password", err)
		}
	}
}

// A role that may not make schemas uses one that was made for it.
func TestLeastRights(t *testing.T) {
	owner := servers.Postgres(t)
	a := node(t, owner)
	add(t, a, "john")
	role := "test_" + strings.ToLower(newID())
	c, err := pgx.Connect(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), fmt.Sprintf(`CREATE ROLE %[1]s LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA counterfoil TO %[1]s;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA counterfoil TO %[1]s`, role)); err != nil {
		t.Fatal(err)
	}
	defer c.Exec(t.Context(), fmt.Sprintf(`DROP OWNED BY %[1]s; DROP ROLE %[1]s`, role))
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "x")
	b := node(t, u.String())
	defer b.Close()
	if err := login(t, b, "john", good, here); err != nil {
		t.Errorf("a role that may read and write the tables, and nothing else: %v", err)
	}
}
