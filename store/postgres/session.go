package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/store"
)

// sessionColumns are what scanSession reads.
const sessionColumns = `session.sid, lineage, session.epoch, created, auth_time, last_seen, idle, deadline,
	persistent, secret, user_id, name, methods, user_agent, address`

// A record is a session as the table has it.
type record struct {
	store.Session
	epoch   int64
	lineage *[16]byte
	times   [5]int64 // created, auth_time, last_seen, idle, deadline
	secret  []byte
	texts   [5][]byte // user_id, name, methods, user_agent, address
}

// targets are where a row of sessionColumns goes.
func (r *record) targets() []any {
	return []any{(*[16]byte)(&r.ID), &r.lineage, &r.epoch,
		&r.times[0], &r.times[1], &r.times[2], &r.times[3], &r.times[4],
		&r.Persistent, &r.secret, &r.texts[0], &r.texts[1], &r.texts[2], &r.texts[3], &r.texts[4]}
}

// scanSession reads a row of sessionColumns, and what stands behind them.
func scanSession(row pgx.Row, more ...any) (store.Session, error) {
	var r record
	if err := row.Scan(append(r.targets(), more...)...); err != nil {
		return store.Session{}, err
	}
	s := r.Session
	if r.lineage != nil {
		s.Lineage = *r.lineage
	}
	s.Created, s.AuthTime, s.LastSeen = fromMillis(r.times[0]), fromMillis(r.times[1]), fromMillis(r.times[2])
	s.Idle, s.Deadline = time.Duration(r.times[3])*time.Millisecond, fromMillis(r.times[4])
	copy(s.Secret[:], r.secret)
	s.User, s.Name, s.Methods = string(r.texts[0]), string(r.texts[1]), string(r.texts[2])
	s.UserAgent, s.Address = string(r.texts[3]), string(r.texts[4])
	return s, nil
}

// selectLive selects sessions that are live. The floor of the time is $1.
const (
	readerLive = `session.epoch = epoch.epoch AND session.expires > ` + readNow
	fromLive   = ` FROM cf.head, cf.epoch, cf.session WHERE ` + readerLive
	selectLive = `SELECT ` + sessionColumns + `, ` + readNow + fromLive
)

// scanLive reads a row of selectLive.
func (s *Store) scanLive(row pgx.Row) (store.Session, error) {
	var now int64
	found, err := scanSession(row, &now)
	found.AsOf = fromMillis(now)
	if err == nil {
		s.clock.saw(found.AsOf)
	}
	return found, err
}

// Find implements [store.Store].
func (s *Store) Find(ctx context.Context, id store.SID) (store.Session, error) {
	found, err := s.sessions.find(ctx, id)
	if err != nil {
		return store.Session{}, err
	}
	found.what.AsOf = found.at
	return found.what, nil
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) (found []store.Session, err error) {
	sql := selectLive + ` AND sid > $2 ORDER BY sid LIMIT $3`
	args := []any{s.clock.Floor(), [16]byte(q.After), listLimit(q)}
	if q.User != "" {
		sql = selectLive + ` AND sid > $2 AND user_id = $4 AND user_id <> '' ORDER BY sid LIMIT $3`
		args = append(args, []byte(q.User))
	}
	err = s.read(ctx, s.timeout, func(b *pgx.Batch) {
		found = nil
		each(b.Queue(s.sql(sql), args...), func(rows pgx.Rows) error {
			session, err := s.scanLive(rows)
			found = append(found, session)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func listLimit(q store.Query) int {
	return min(cmp.Or(max(q.Limit, 0), store.MaxBatch), store.MaxBatch)
}

func orNotFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, c store.Creation) (store.Session, error) {
	if err := c.Session.Validate(); err != nil {
		return store.Session{}, err
	}
	if err := checkValues(c.Values); err != nil {
		return store.Session{}, err
	}
	c.Values = bytes.Clone(c.Values)
	return write(ctx, s, operation[store.Session]{
		size:   len(c.Values),
		needs:  func(n *needs) { n.creation(c) },
		decide: func(g *group, out *store.Session) (err error) { *out, err = g.create(c); return err },
	})
}

// creation: the user's row is locked until the commit, here and in EndUser, but
// for a session that an EndUser at the same time may miss, because it may as well
// come after it: one that takes nobody's place and asks for no generation.
// So an EndUser that comes later sees the new session, also one that only takes
// another's place; and after an earlier one the generation is another.
func (n *needs) creation(c store.Creation) {
	n.newSession(c.Session.ID)
	if !c.Replaces.IsZero() {
		n.session(c.Replaces)
	}
	limited := c.Limit > 0 && c.Session.User != ""
	if limited || c.Generation != 0 || !c.Replaces.IsZero() && c.Session.User != "" {
		n.user(c.Session.User, limited)
	}
}

func (g *group) create(c store.Creation) (store.Session, error) {
	if err := g.mayCreate(c); err != nil {
		return store.Session{}, err
	}
	s := stamp(c, g.now)
	i := &insertion{session: s, refresh: c.Refresh, values: c.Values, epoch: g.epoch}
	if saved, ok := g.saved[c.Replaces]; c.Inherit && ok {
		i.values = saved.data // in this group: not in the table yet
	} else if c.Inherit {
		i.inherits = c.Replaces
	}
	g.insert(i)
	if !c.Replaces.IsZero() {
		g.end(g.sessions[c.Replaces], c.Retain)
	}
	g.keepNewest(c)
	return s, nil
}

// mayCreate checks everything that Create can be refused for.
func (g *group) mayCreate(c store.Creation) error {
	if c.Generation != 0 && c.Generation != g.generation(c.Session.User) {
		return store.ErrSuperseded
	}
	// One that EndAll has ended is absent, though its row may still wait for
	// Purge.
	if r := g.sessions[c.Session.ID]; r != nil && !r.gone && r.epoch >= g.epoch {
		return fmt.Errorf("%w: the session id exists", store.ErrConflict)
	}
	// A session that this group adds is not known to anybody yet: whoever
	// replaces it came too early.
	if r := g.sessions[c.Replaces]; !c.Replaces.IsZero() && (!g.live(r) || r.fresh) {
		return store.ErrNotFound
	}
	return nil
}

// stamp fills in the times that are the store's, and cuts those that are not
// to its precision.
func stamp(c store.Creation, now time.Time) store.Session {
	s := c.Session
	s.Created, s.LastSeen, s.AsOf = now, now, now
	if s.AuthTime.IsZero() && s.User != "" {
		s.AuthTime = now
	}
	if s.Deadline.IsZero() {
		s.Deadline = now.Add(c.Lifetime)
	}
	s.AuthTime = fromMillis(millis(s.AuthTime))
	s.Deadline = fromMillis(millis(s.Deadline))
	s.Idle = s.Idle.Truncate(time.Millisecond)
	return s
}

// keepNewest ends the user's oldest sessions that exceed the limit.
func (g *group) keepNewest(c store.Creation) {
	if c.Limit <= 0 || c.Session.User == "" {
		return
	}
	var others []*row
	for _, r := range g.ofUser[c.Session.User] {
		if g.live(r) && r.id != c.Session.ID {
			others = append(others, r)
		}
	}
	if len(others) < c.Limit {
		return
	}
	slices.SortFunc(others, func(a, b *row) int {
		return cmp.Or(cmp.Compare(b.created, a.created), bytes.Compare(b.id[:], a.id[:]))
	})
	for _, r := range others[c.Limit-1:] {
		g.end(r, c.Retain)
	}
}
