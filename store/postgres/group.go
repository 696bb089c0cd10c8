package postgres

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/counterfoil/counterfoil/store"
)

// A group is written in two steps, each of which is one message and its answer.
// The first begins a transaction, locks what its operations are about and reads
// it. Then they decide, one after the other, each on what those before it have
// decided. The second step writes the outcome, a statement for each kind of
// change, and commits.
//
// Locks are taken in the same order by everybody: the table of the epoch, users
// in order, sessions in order, the head. The head, for which all nodes wait, is
// locked in the second step only (Merge excepted), last but for the commit.

// needs are what the operations of a group are about.
type needs struct {
	again     bool               // the server has undone the group before
	everybody bool               // the epoch changes
	planned   bool               // statements that are planned each time
	log       bool               // the head is locked, to see what the log holds
	users     map[string]bool    // to lock; true: with all of their sessions
	ids       map[store.SID]bool // sessions to lock
	values    map[store.SID]bool // the versions of whose values are read
	refresh   map[store.SID]bool // that are read whole, with their refresh tokens
	entries   map[store.SID]bool // sessions that are looked for in the log
}

// newSession is for an id that nobody has yet, or else the insertion fails: only then
// is it looked for, when the group is tried again.
func (n *needs) newSession(id store.SID) {
	if n.again {
		n.session(id)
	}
}

func (n *needs) session(id store.SID) { put(&n.ids, id, true) }

func (n *needs) user(user string, withSessions bool) {
	put(&n.users, user, withSessions || n.users[user])
}

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// A row is a session as the group found or made it.
type row struct {
	id      store.SID
	user    string
	epoch   int64
	created int64
	expires int64
	fresh   bool // added by this group
	gone    bool // ended by this group

	version uint64 // of its values, where needs.values
	whole   *whole // where needs.refresh
}

// whole is a session with its refresh tokens.
type whole struct {
	session store.Session
	refresh refresh
}

// A group is the state in which operations decide, and what they decided.
type group struct {
	now         time.Time // the store's, read when the locks were held
	epoch       int64
	found       int64 // the epoch before the group
	sessions    map[store.SID]*row
	ofUser      map[string][]*row
	generations map[string]int64 // how often each user's sessions were ended
	logged      map[loggedKey]bool
	changes
}

type loggedKey struct {
	kind store.Kind
	id   store.SID
}

// live reports whether a session, which may be nil, is there.
func (g *group) live(r *row) bool {
	return r != nil && !r.gone && r.epoch == g.epoch && r.expires > g.now.UnixMilli()
}

func (g *group) generation(user string) uint64 { return uint64(1 + g.epoch + g.generations[user]) }

func (g *group) add(r *row) {
	g.sessions[r.id] = r
	g.ofUser[r.user] = append(g.ofUser[r.user], r)
}

// attempt writes what the jobs decide, in one transaction.
func (s *Store) attempt(ctx context.Context, jobs []*job, again bool) error {
	n := &needs{again: again}
	for _, j := range jobs {
		j.needs(n)
	}
	c, g, err := s.lock(ctx, n)
	if err != nil {
		return err
	}
	defer c.Release()
	for _, j := range jobs {
		if j.begin() {
			j.err = j.decide(g)
		}
	}
	if g.empty() {
		undo(ctx, c.Conn())
		return nil
	}
	head, err := s.write(ctx, c.Conn(), g)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.begun {
			j.committed(head)
		}
	}
	return nil
}

// lock begins a transaction that locks and reads what a group needs.
func (s *Store) lock(ctx context.Context, n *needs) (*pgxpool.Conn, *group, error) {
	var g *group
	c, err := s.transaction(ctx, n.planned, func(b *pgx.Batch) {
		g = newGroup()
		s.queueLocks(b, n, g)
	})
	if err != nil {
		return nil, nil, err
	}
	s.clock.saw(g.now)
	return c, g, nil
}

func newGroup() *group {
	return &group{
		sessions:    map[store.SID]*row{},
		ofUser:      map[string][]*row{},
		generations: map[string]int64{},
		logged:      map[loggedKey]bool{},
	}
}

func (s *Store) queueLocks(b *pgx.Batch, n *needs, g *group) {
	if n.everybody {
		b.Queue(s.sql(`LOCK TABLE cf.epoch IN EXCLUSIVE MODE`))
	} else {
		b.Queue(s.sql(`LOCK TABLE cf.epoch IN ROW SHARE MODE`))
	}
	s.lockUsers(b, n, g)
	s.lockSessions(b, n, g)
	s.readMore(b, n, g)
	if n.log {
		s.readLog(b, n, g)
	}
	// Last: the time at which all locks are held. To set something here costs less
	// than a statement of its own.
	b.Queue(s.sql(`SELECT epoch, `+writeNow+`, `+durable+` FROM cf.head, cf.epoch WHERE head.one AND epoch.one`), s.clock.Floor()).QueryRow(func(r pgx.Row) error {
		var now int64
		err := r.Scan(&g.epoch, &now, nil)
		g.found, g.now = g.epoch, fromMillis(now)
		return err
	})
}

// lockUsers locks the rows of users, and makes those that are missing.
func (s *Store) lockUsers(b *pgx.Batch, n *needs, g *group) {
	if len(n.users) == 0 {
		return
	}
	var users [][]byte
	for user := range n.users {
		users = append(users, []byte(user))
	}
	slices.SortFunc(users, bytes.Compare)
	b.Queue(s.sql(`INSERT INTO cf.generation (user_id, ended_all)
		SELECT u, 0 FROM unnest($1::bytea[]) u ON CONFLICT DO NOTHING`), users)
	each(b.Queue(s.sql(lockUsers), users), func(rows pgx.Rows) error {
		var user []byte
		var ended int64
		err := rows.Scan(&user, &ended)
		g.generations[string(user)] = ended
		return err
	})
}

// Rows are locked one by one, in order, each found by its key: a subquery that
// locks is planned by itself, so that there is no other way to do it.
const (
	lockUsers = `SELECT u.* FROM unnest($1::bytea[]) key
		CROSS JOIN LATERAL (SELECT user_id, ended_all FROM cf.generation WHERE user_id = key FOR UPDATE) u`
	lockSessions = `SELECT s.* FROM unnest($1::uuid[]) key ` + lockSession
	lockTheirs   = `SELECT s.* FROM (
			SELECT key FROM unnest($1::uuid[]) key
			UNION
			SELECT sid FROM unnest($2::bytea[]) u CROSS JOIN LATERAL (
				SELECT sid FROM cf.session WHERE user_id = u AND user_id <> '' OFFSET 0
			) theirs
			ORDER BY 1
		) keys ` + lockSession
	lockSession = `CROSS JOIN LATERAL (
			SELECT sid, user_id, epoch, created, expires FROM cf.session WHERE sid = key FOR UPDATE
		) s`
)

// lockSessions locks sessions. Those of a user are all there are: his row is
// locked already.
func (s *Store) lockSessions(b *pgx.Batch, n *needs, g *group) {
	var whole [][]byte
	for user, all := range n.users {
		if all {
			whole = append(whole, []byte(user))
		}
	}
	if len(n.ids) == 0 && len(whole) == 0 {
		return
	}
	ids := uuids(n.ids)
	slices.SortFunc(ids, func(a, b pgtype.UUID) int { return bytes.Compare(a.Bytes[:], b.Bytes[:]) })
	sql, args := lockSessions, []any{ids}
	if len(whole) > 0 {
		sql, args = lockTheirs, append(args, whole)
	}
	each(b.Queue(s.sql(sql), args...), func(rows pgx.Rows) error {
		r := &row{version: 1}
		var user []byte
		err := rows.Scan((*[16]byte)(&r.id), &user, &r.epoch, &r.created, &r.expires)
		r.user = string(user)
		g.add(r)
		return err
	})
}

// readMore reads what some operations need of sessions that are locked.
func (s *Store) readMore(b *pgx.Batch, n *needs, g *group) {
	if len(n.values) > 0 {
		each(b.Queue(s.sql(`SELECT sid, version FROM cf.session_values WHERE sid = ANY ($1::uuid[])`), uuids(n.values)), func(rows pgx.Rows) error {
			var id [16]byte
			var version int64
			err := rows.Scan(&id, &version)
			if r := g.sessions[id]; r != nil {
				r.version = uint64(version)
			}
			return err
		})
	}
	if len(n.refresh) > 0 {
		each(b.Queue(s.sql(`SELECT `+sessionColumns+`, `+refreshColumns+` FROM cf.session
			WHERE sid = ANY ($1::uuid[]) AND family IS NOT NULL`), uuids(n.refresh)), func(rows pgx.Rows) error {
			session, f, err := scanRefresh(rows)
			if r := g.sessions[session.ID]; r != nil {
				r.whole = &whole{session, f}
			}
			return err
		})
	}
}

// readLog locks the head, and looks for sessions in the log. What has expired the
// log no longer holds.
func (s *Store) readLog(b *pgx.Batch, n *needs, g *group) {
	b.Queue(s.sql(`SELECT FROM cf.head FOR UPDATE`))
	each(b.Queue(s.sql(`SELECT kind, sid FROM cf.head, cf.ended WHERE sid = ANY ($2::uuid[]) AND expires > `+writeNow),
		s.clock.Floor(), uuids(n.entries)), func(rows pgx.Rows) error {
		var kind int16
		var id [16]byte
		err := rows.Scan(&kind, &id)
		g.logged[loggedKey{store.Kind(kind), id}] = true
		return err
	})
}

// uuids returns ids as the driver takes them.
func uuids(ids map[store.SID]bool) column[pgtype.UUID] {
	list := make(column[pgtype.UUID], 0, len(ids))
	for id := range ids {
		list = append(list, uuid(id))
	}
	return list
}
