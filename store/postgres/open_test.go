package postgres

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
)

// "Several nodes may do so at once": they take turns to make the schema.
func TestOpenTogether(t *testing.T) {
	url := servers.Postgres(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), url, Config{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Stores in one database that have different schemas are different stores,
// whatever their names.
func TestSchemas(t *testing.T) {
	url := servers.Postgres(t)
	one, two := openAt(t, url, Config{}), openAt(t, url, Config{Schema: `it's "ours"; DROP cf.head --`})
	id := mustCreate(t, one, login(0))
	other := mustCreate(t, two, login(0))
	for s, absent := range map[*Store]store.SID{one: other, two: id} {
		if _, err := s.Find(t.Context(), absent); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the other store's session: error %v, want %v", err, store.ErrNotFound)
		}
	}
	if e, err := two.End(t.Context(), other, time.Hour); err != nil || e.Count != 1 {
		t.Errorf("End: %+v, error %v", e, err)
	}
}

// A step of the schema is made once, as a whole or not at all; a schema that a
// newer version has made is refused.
func TestMigrate(t *testing.T) {
	url := servers.Postgres(t)
	c := connect(t, url)
	ctx := t.Context()
	step := `CREATE TABLE cf.more (x integer); INSERT INTO cf.more VALUES (1)`
	for _, steps := range [][]string{{tables}, {tables, step}, {tables, step}} {
		if err := migrate(ctx, c, "cf_test", steps); err != nil {
			t.Fatal(err)
		}
	}
	if err := migrate(ctx, c, "cf_test", []string{tables, step, `CREATE TABLE cf.third (x integer); SELECT 1/0`}); err == nil {
		t.Error("a step that fails: no error")
	}
	var rows int
	var third bool
	if err := c.QueryRow(ctx, `SELECT count(*), to_regclass('cf_test.third') IS NOT NULL FROM cf_test.more`).Scan(&rows, &third); err != nil || rows != 1 || third {
		t.Errorf("%d rows of a step made once, traces of one that failed: %v, error %v", rows, third, err)
	}
	if _, err := Open(ctx, url, Config{Schema: "cf_test"}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer schema: error %v", err)
	}
}

// A role that may not make schemas uses one that an operator gave it.
func TestGivenSchema(t *testing.T) {
	database := servers.Postgres(t)
	c := connect(t, database)
	role := "role_" + strings.TrimPrefix(c.Config().Database, "test_")
	mustExec(t, c, `CREATE ROLE `+role+` LOGIN PASSWORD 'secret'`)
	mustExec(t, c, `ALTER ROLE `+role+` SET synchronous_commit = off`)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "secret")
	if _, err := Open(t.Context(), u.String(), Config{}); err == nil || !strings.Contains(err.Error(), "grant CREATE") {
		t.Errorf("a role without rights: error %v, want one that says what to grant", err)
	}
	mustExec(t, c, `CREATE SCHEMA counterfoil AUTHORIZATION `+role)
	var log bytes.Buffer
	s := openAt(t, u.String(), Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	mustCreate(t, s, login(0))

	// The role commits before the disk does. What we write does not.
	if !strings.Contains(log.String(), "synchronous_commit") {
		t.Errorf("no warning of synchronous_commit in %q", log.String())
	}
	for _, setting := range []struct{ role, want string }{{"off", "on"}, {"local", "on"}, {"remote_write", "remote_write"}, {"remote_apply", "remote_apply"}} {
		if got := commitSetting(t, s, setting.role); got != setting.want {
			t.Errorf("synchronous_commit is %s in our writes where the role has %s, want %s", got, setting.role, setting.want)
		}
	}
	s.Close()
	mustExec(t, c, `DROP OWNED BY `+role)
	mustExec(t, c, `DROP ROLE `+role)
}

// commitSetting returns synchronous_commit as it is in our transactions.
func commitSetting(t *testing.T, s *Store, ofRole string) string {
	t.Helper()
	c, err := s.writes.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	mustExec(t, c.Conn(), `SET synchronous_commit = `+ofRole)
	b := &pgx.Batch{}
	s.queueBegin(b, false)
	s.queueLocks(b, &needs{}, newGroup())
	if err := c.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
	defer undo(t.Context(), c.Conn())
	return show(t, c.Conn(), "synchronous_commit")
}

func show(t *testing.T, c *pgx.Conn, setting string) (value string) {
	t.Helper()
	if err := c.QueryRow(t.Context(), `SHOW `+setting).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// What our transactions rely on holds whatever the operator has set, also after
// the connection was made, and also where the server's session is not ours. What
// he sets beyond that holds from then on.
func TestWriteSettings(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	direct := server.Database()
	mustExec(t, connect(t, direct), `ALTER ROLE postgres SET lock_timeout = '1h'`)
	for name, s := range map[string]*Store{
		"direct":         openAt(t, direct, Config{}),
		"through pooler": openAt(t, servers.PgBouncer(t, direct, 4), Config{}),
	} {
		mustCreate(t, s, login(0)) // connects
		check := func(planned bool, want map[string]string) {
			t.Helper()
			c, _, err := s.lock(t.Context(), &needs{planned: planned})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Release()
			defer undo(t.Context(), c.Conn())
			for setting, want := range want {
				if got := show(t, c.Conn(), setting); got != want {
					t.Errorf("%s, planned %t: %s is %s, want %s", name, planned, setting, got, want)
				}
			}
		}
		for setting, value := range map[string]string{"synchronous_commit": "off", "lock_timeout": "0",
			"idle_in_transaction_session_timeout": "0", "enable_seqscan": "on", "plan_cache_mode": "auto"} {
			server.Set(setting, value)
		}
		waits := map[string]string{"synchronous_commit": "on", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "5s", "jit": "off"}
		check(false, waits)
		check(true, waits)
		check(false, map[string]string{"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"})
		check(true, map[string]string{"enable_seqscan": "on", "plan_cache_mode": "force_custom_plan"})
		server.Set("synchronous_commit", "remote_apply")
		check(false, map[string]string{"synchronous_commit": "remote_apply"})
	}
}

// Settings with which a crash can undo logouts are warned of in clear words.
func TestWarnings(t *testing.T) {
	server := servers.StartPostgres(t, map[string]string{"fsync": "off", "full_page_writes": "off"})
	var log bytes.Buffer
	openAt(t, server.Database(), Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, setting := range []string{"fsync", "full_page_writes"} {
		if !strings.Contains(log.String(), setting+" off") {
			t.Errorf("no warning of %s in %q", setting, log.String())
		}
	}
	log.Reset()
	openAt(t, servers.Postgres(t), Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if log.Len() > 0 {
		t.Errorf("a server as it should be: %q", log.String())
	}
}

// A server that takes no writes is refused: what it answers may be old.
func TestReadOnly(t *testing.T) {
	url := servers.Postgres(t)
	c := connect(t, url)
	mustExec(t, c, `ALTER DATABASE `+c.Config().Database+` SET default_transaction_read_only = on`)
	if _, err := Open(t.Context(), url, Config{}); err == nil || !strings.Contains(err.Error(), "default_transaction_read_only") {
		t.Errorf("error %v, want one that names the setting", err)
	}
}

// A standby is refused. A logout that the primary acknowledged while replication
// is synchronous is on the standby, and after its promotion the store goes on
// there: with both in the URL it finds the one that takes writes.
func TestFailover(t *testing.T) {
	primary := servers.StartPostgres(t, nil)
	url := primary.Database()
	standby := primary.Standby()
	primary.Set("synchronous_standby_names", "*")
	if _, err := Open(t.Context(), standby.Same(url), Config{}); err == nil || !strings.Contains(err.Error(), "standby") {
		t.Errorf("a standby: error %v, want one that says so", err)
	}
	s := openAt(t, servers.Hosts(standby.Same(url), url), Config{})
	ended, kept := mustCreate(t, s, login(0)), mustCreate(t, s, login(1))
	e, err := s.End(t.Context(), ended, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	primary.Kill()
	standby.Promote()
	if _, err := s.Find(t.Context(), ended); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what had ended before the failover: error %v, want %v", err, store.ErrNotFound)
	}
	if _, err := s.Find(t.Context(), kept); err != nil {
		t.Errorf("what had not: %v", err)
	}
	news, err := s.Beat(t.Context(), store.Beat{After: e.Head, Limit: 1})
	if err != nil || news.Head != e.Head {
		t.Errorf("a beat from where the log was: %+v, error %v; want the head %v", news, err, e.Head)
	}
}

// No error shows the password.
func TestPasswordIsSecret(t *testing.T) {
	database := servers.Postgres(t)
	const secret = "hunter2hunter2"
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("postgres", secret)
	for _, url := range []string{
		u.String(),
		"postgres://john:" + secret + "@127.0.0.1:notaport/x",
		"postgres://john:" + secret + "%zz@127.0.0.1/x",
		"postgres://john:" + secret + "@127.0.0.1:1/x",
		"postgres://john:" + secret + "@127.0.0.1/x?sslmode=nonsense",
		"host=127.0.0.1 port=1 password='" + secret + "' user=john sslmode=nonsense",
		"host=127.0.0.1 port=1 user=john password=" + secret,
		"nonsense " + secret,
	} {
		_, err := Open(t.Context(), url, Config{})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %q", err)
		}
	}
}

// The store's time never decreases: it does not follow the server's clock back,
// nor does it stand still meanwhile.
func TestClock(t *testing.T) {
	url := servers.Postgres(t)
	s := openAt(t, url, Config{})
	c := connect(t, url)
	id := mustCreate(t, s, login(0))
	// As if the server's clock had been an hour ahead until now.
	mustExec(t, c, `UPDATE counterfoil.head SET clock = 3600000 + (SELECT max(created) FROM counterfoil.session)`)
	ahead := time.Now().Add(59 * time.Minute)
	again := openAt(t, url, Config{}) // another node, or this one after a restart
	for _, s := range []*Store{s, again} {
		created, err := s.Create(t.Context(), login(1))
		if err != nil || created.Created.Before(ahead) {
			t.Errorf("Created %v, error %v; want a time after %v", created.Created, err, ahead)
		}
		if _, err := s.Find(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session that had run out by the time before: error %v, want %v", err, store.ErrNotFound)
		}
		time.Sleep(20 * time.Millisecond)
		found, err := s.Find(t.Context(), created.ID)
		if err != nil || !found.AsOf.After(created.AsOf) {
			t.Errorf("the store's time went from %v to %v, error %v", created.AsOf, found.AsOf, err)
		}
	}
	news, err := s.Beat(t.Context(), store.Beat{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	var kept int64
	if err := c.QueryRow(t.Context(), `SELECT clock FROM counterfoil.head`).Scan(&kept); err != nil || kept != news.Now.UnixMilli() {
		t.Errorf("the time is kept as %d, error %v; a beat said %d", kept, err, news.Now.UnixMilli())
	}
}

func TestClockFloor(t *testing.T) {
	var c clock
	if c.Floor() != 0 {
		t.Error("a floor that nobody has told")
	}
	at := time.UnixMilli(1_000_000)
	c.saw(at)
	c.saw(at.Add(-time.Minute))
	if got := c.Floor(); got < at.UnixMilli() {
		t.Errorf("the floor fell to %d", got)
	}
	// It never runs ahead of a server whose clock is right.
	seen := c.seen
	if got := c.floor(seen.Add(time.Hour)) - at.UnixMilli(); got >= time.Hour.Milliseconds() || got < time.Hour.Milliseconds()*99/100 {
		t.Errorf("in an hour the floor rose by %d ms", got)
	}
}

// The statements of a closed store fail, whether its Close has ended or not, and
// Close ends those who watch.
func TestCloseEndsWatch(t *testing.T) {
	s := openAt(t, servers.Postgres(t), Config{})
	heard := make(chan store.Hint, 1)
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(context.Background(), func(h store.Hint) { heard <- h }) }()
	<-heard
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, errClosed) {
		t.Errorf("error %v, want %v", err, errClosed)
	}
}

// "Where nothing stands in between the server keeps them in any case"; behind a
// pooler no statement stays in a server's session, which is not ours.
func TestKeptStatements(t *testing.T) {
	url := servers.Postgres(t)
	for _, test := range []struct {
		name, url string
		config    Config
		kept      bool
	}{
		{"direct", url, Config{Readers: 1}, true},
		{"direct and asked for", url, Config{Readers: 1, NamedStatements: true}, true},
		{"behind a pooler", servers.PgBouncer(t, url, 4), Config{Readers: 1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := openAt(t, test.url, test.config)
			id := mustCreate(t, s, login(0))
			for range 3 {
				if _, err := s.Find(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			var kept int
			if err := s.reads.QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%session%'`).Scan(&kept); err != nil {
				t.Fatal(err)
			}
			if (kept > 0) != test.kept {
				t.Errorf("the server keeps %d statements, want any: %t", kept, test.kept)
			}
		})
	}
}

// When PgBouncer stands where Watch listens, nothing is heard, and nothing
// breaks.
func TestWatchBehindPgBouncer(t *testing.T) {
	s := openAt(t, servers.PgBouncer(t, servers.Postgres(t), 4), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	begun := make(chan struct{}, 100)
	go func() { ended <- s.Watch(ctx, func(store.Hint) { begun <- struct{}{} }) }()
	<-begun
	id := mustCreate(t, s, login(0))
	e, err := s.End(t.Context(), id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Nudge(t.Context()); err != nil {
		t.Error(err)
	}
	if news, err := s.Beat(t.Context(), store.Beat{Limit: 10}); err != nil || news.Head != e.Head || len(news.Entries) != 1 {
		t.Errorf("a beat: %+v, error %v; want the logout", news, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Watch: %v", err)
	}
}
