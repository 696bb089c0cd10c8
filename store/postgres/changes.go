package postgres

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/counterfoil/counterfoil/store"
)

// changes are what the operations of a group have decided to write.
type changes struct {
	insertions []*insertion
	removed    []store.SID
	saved      map[store.SID]save
	touched    map[store.SID]int64
	rotated    map[store.SID]*row
	endedAll   map[string]bool // the users whose generation has changed
	entries    []entry
	beat       bool // the head is written, though nothing is appended
}

type insertion struct {
	session  store.Session
	epoch    int64
	refresh  store.RefreshSeed
	values   []byte
	inherits store.SID // whose values it takes over; zero: nobody's
}

type save struct {
	version uint64 // the new one
	data    []byte
}

// An entry is what is appended to the log.
type entry struct {
	kind    store.Kind
	id      store.SID
	retain  time.Duration // from the store's time in the write
	expires time.Time     // if not zero: this, and not by retain
}

func (g *group) empty() bool {
	return len(g.insertions)+len(g.removed)+len(g.saved)+len(g.touched)+len(g.rotated)+len(g.endedAll)+len(g.entries) == 0 &&
		!g.beat && g.epoch == g.found
}

func (g *group) insert(i *insertion) {
	if old := g.sessions[i.session.ID]; old != nil && !old.gone {
		g.remove(old) // EndAll has ended it
	}
	g.insertions = append(g.insertions, i)
	g.add(&row{
		id: i.session.ID, user: i.session.User, epoch: i.epoch, created: millis(i.session.Created),
		expires: millis(i.session.Expires()), fresh: true, version: 1,
	})
}

// remove deletes a session and nothing else.
func (g *group) remove(r *row) {
	r.gone = true
	if !r.fresh {
		g.removed = append(g.removed, r.id)
		return
	}
	for i := range g.insertions {
		if g.insertions[i].session.ID == r.id {
			g.insertions = append(g.insertions[:i], g.insertions[i+1:]...)
			return
		}
	}
}

// end removes a session that is live and writes it to the log.
func (g *group) end(r *row, retain time.Duration) {
	g.remove(r)
	g.log(entry{kind: store.SessionEnded, id: r.id, retain: retain})
}

func (g *group) log(e entry) {
	g.entries = append(g.entries, e)
	g.logged[loggedKey{e.kind, e.id}] = true // for a Merge in the same group
}

// write writes the group and commits it. It returns the log's head as the
// group has left it, if it has written that.
func (s *Store) write(ctx context.Context, c *pgx.Conn, g *group) (head store.Cursor, err error) {
	b := &pgx.Batch{}
	s.writeRemovals(b, g)
	s.writeInsertions(b, g)
	s.writeSaves(b, g)
	s.writeTouches(b, g)
	s.writeRotations(b, g)
	s.writeGenerations(b, g)
	s.writeHead(b, g, &head)
	return head, s.commit(ctx, c, b)
}

func (s *Store) writeRemovals(b *pgx.Batch, g *group) {
	var from, to column[pgtype.UUID]
	for _, i := range g.insertions {
		if !i.inherits.IsZero() {
			from, to = append(from, uuid(i.inherits)), append(to, uuid(i.session.ID))
		}
	}
	if len(from) > 0 {
		b.Queue(s.sql(`INSERT INTO cf.session_values (sid, version, data)
			SELECT new, 1, (SELECT data FROM cf.session_values WHERE sid = old) FROM unnest($1::uuid[], $2::uuid[]) t (old, new)`), from, to)
	}
	if len(g.removed) == 0 {
		return
	}
	removed := columnOf(g.removed, uuid)
	b.Queue(s.sql(`WITH their_values AS (DELETE FROM cf.session_values WHERE sid = ANY ($1::uuid[]))
		DELETE FROM cf.session WHERE sid = ANY ($1::uuid[])`), removed)
}

// writeInsertions: all are created now. Arrays side by side in a SELECT are gone
// through at once, while each in a FROM would first be written to a table of its own.
func (s *Store) writeInsertions(b *pgx.Batch, g *group) {
	all := g.insertions
	if len(all) == 0 {
		return
	}
	var withValues column[pgtype.UUID]
	var values column[blob]
	for _, i := range all {
		if i.values != nil && i.inherits.IsZero() {
			withValues, values = append(withValues, uuid(i.session.ID)), append(values, i.values)
		}
	}
	b.Queue(s.sql(`
		WITH added AS (
			INSERT INTO cf.session (sid, lineage, epoch, created, auth_time, last_seen, idle, deadline,
				persistent, secret, user_id, name, methods, user_agent, address, family, current)
			SELECT unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::bigint[]), $1::bigint, unnest($5::bigint[]),
				$1::bigint, unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::boolean[]), unnest($9::bytea[]),
				unnest($10::bytea[]), unnest($11::bytea[]), unnest($12::bytea[]), unnest($13::bytea[]), unnest($14::bytea[]),
				unnest($15::bytea[]), unnest($16::bytea[])
		)
		INSERT INTO cf.session_values (sid, version, data) SELECT unnest($17::uuid[]), 1, unnest($18::bytea[])`),
		millis(g.now),
		columnOf(all, func(i *insertion) pgtype.UUID { return uuid(i.session.ID) }),
		columnOf(all, func(i *insertion) pgtype.UUID {
			return pgtype.UUID{Bytes: i.session.Lineage, Valid: !i.session.Lineage.IsZero()}
		}),
		columnOf(all, func(i *insertion) number { return number(i.epoch) }),
		columnOf(all, func(i *insertion) number { return number(millis(i.session.AuthTime)) }),
		columnOf(all, func(i *insertion) number { return number(i.session.Idle.Milliseconds()) }),
		columnOf(all, func(i *insertion) number { return number(millis(i.session.Deadline)) }),
		columnOf(all, func(i *insertion) pgtype.Bool { return pgtype.Bool{Bool: i.session.Persistent, Valid: true} }),
		columnOf(all, func(i *insertion) blob { return i.session.Secret[:] }),
		columnOf(all, func(i *insertion) blob { return blob(i.session.User) }),
		columnOf(all, func(i *insertion) blob { return blob(i.session.Name) }),
		columnOf(all, func(i *insertion) blob { return blob(i.session.Methods) }),
		columnOf(all, func(i *insertion) blob { return blob(i.session.UserAgent) }),
		columnOf(all, func(i *insertion) blob { return blob(i.session.Address) }),
		columnOf(all, func(i *insertion) blob { return i.seed(i.refresh.Family[:]) }),
		columnOf(all, func(i *insertion) blob { return i.seed(i.refresh.Current[:]) }),
		withValues, values)
}

// seed returns a digest of the refresh token that the session begins with; nil
// where it has none.
func (i *insertion) seed(digest []byte) blob {
	if i.refresh == (store.RefreshSeed{}) {
		return nil
	}
	return digest
}

func (s *Store) writeSaves(b *pgx.Batch, g *group) {
	var ids column[pgtype.UUID]
	var versions column[number]
	var data column[blob]
	for id, v := range g.saved {
		if !g.sessions[id].gone {
			ids, versions, data = append(ids, uuid(id)), append(versions, number(v.version)), append(data, v.data)
		}
	}
	if len(ids) > 0 {
		b.Queue(s.sql(`INSERT INTO cf.session_values (sid, version, data)
			SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bytea[])
			ON CONFLICT (sid) DO UPDATE SET version = EXCLUDED.version, data = EXCLUDED.data`), ids, versions, data)
	}
}

func (s *Store) writeTouches(b *pgx.Batch, g *group) {
	var ids column[pgtype.UUID]
	var at column[number]
	for id, t := range g.touched {
		ids, at = append(ids, uuid(id)), append(at, number(t))
	}
	if len(ids) > 0 {
		b.Queue(s.sql(`UPDATE cf.session SET last_seen = at FROM unnest($1::uuid[], $2::bigint[]) t (id, at)
			WHERE sid = id AND last_seen < at`), ids, at)
	}
}

func (s *Store) writeRotations(b *pgx.Batch, g *group) {
	var ids column[pgtype.UUID]
	var seen, rotated column[number]
	var current, previous, sealed column[blob]
	for id, r := range g.rotated {
		if r.gone {
			continue
		}
		f := &r.whole.refresh
		ids, seen, rotated = append(ids, uuid(id)), append(seen, number(millis(r.whole.session.LastSeen))), append(rotated, number(millis(f.rotated)))
		current, previous, sealed = append(current, f.current[:]), append(previous, f.previous[:]), append(sealed, f.sealed[:])
	}
	if len(ids) > 0 {
		b.Queue(s.sql(`UPDATE cf.session SET last_seen = greatest(last_seen, t.seen),
				current = t.current, previous = t.previous, sealed = t.sealed, rotated = t.rotated
			FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[])
				t (id, seen, rotated, current, previous, sealed)
			WHERE sid = id`), ids, seen, rotated, current, previous, sealed)
	}
}

func (s *Store) writeGenerations(b *pgx.Batch, g *group) {
	var users column[blob]
	var ended column[number]
	for user := range g.endedAll {
		users, ended = append(users, blob(user)), append(ended, number(g.generations[user]))
	}
	if len(users) > 0 {
		b.Queue(s.sql(`INSERT INTO cf.generation (user_id, ended_all) SELECT * FROM unnest($1::bytea[], $2::bigint[])
			ON CONFLICT (user_id) DO UPDATE SET ended_all = EXCLUDED.ended_all`), users, ended)
	}
	if g.epoch != g.found {
		b.Queue(s.sql(`UPDATE cf.epoch SET epoch = $1 WHERE one`), g.epoch)
	}
}

// writeHead appends to the log, or writes its head only. That is how a
// logout waits for an earlier one that is not replicated yet.
func (s *Store) writeHead(b *pgx.Batch, g *group, head *store.Cursor) {
	n := len(g.entries)
	if n == 0 && !g.beat {
		return
	}
	scan := func(r pgx.Row) error {
		var now int64
		err := scanHead(r, head, &now)
		s.clock.saw(fromMillis(now))
		return err
	}
	if n == 0 {
		b.Queue(s.sql(`UPDATE cf.head SET beat = beat + 1, clock = `+writeNow+` WHERE one RETURNING pos, id, clock`), s.clock.Floor()).QueryRow(scan)
		return
	}
	// Rounded up: no entry may expire before its time.
	const up = time.Millisecond - 1
	ids := columnOf(g.entries, func(entry) pgtype.UUID {
		var id [16]byte
		rand.Read(id[:])
		return uuid(id)
	})
	kinds := columnOf(g.entries, func(e entry) number { return number(e.kind) })
	sids := columnOf(g.entries, func(e entry) pgtype.UUID { return uuid(e.id) })
	retain := columnOf(g.entries, func(e entry) number { return number((e.retain + up).Milliseconds()) })
	expires := columnOf(g.entries, func(e entry) number {
		if e.expires.IsZero() {
			return 0
		}
		return number(e.expires.Add(up).UnixMilli())
	})
	b.Queue(s.sql(`
		WITH head AS (
			UPDATE cf.head SET pos = pos + $2, id = $3, clock = `+writeNow+` WHERE one RETURNING pos, id, clock
		), appended AS (
			INSERT INTO cf.ended (pos, id, kind, sid, expires)
			SELECT head.pos - $2 + t.n, t.id, t.kind, t.sid, CASE t.expires WHEN 0 THEN head.clock + t.retain ELSE t.expires END
			FROM head, unnest($4::uuid[], $5::smallint[], $6::uuid[], $7::bigint[], $8::bigint[])
				WITH ORDINALITY t (id, kind, sid, retain, expires, n)
		)
		SELECT pos, id, clock FROM head, pg_notify($9, pos::text)`),
		s.clock.Floor(), int64(n), ids[n-1], ids, kinds, sids, retain, expires, s.schema.channel()).QueryRow(scan)
}

func scanHead(r pgx.Row, head *store.Cursor, more ...any) error {
	var pos int64
	err := r.Scan(append([]any{&pos, &head.ID}, more...)...)
	head.Pos = uint64(pos)
	return err
}
