package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// sessionColumns are what sessionAt reads.
const sessionColumns = `sid, secret, user, name, methods, user_agent, address,
	created, auth_time, last_seen, idle, deadline, persistent, lineage`

const sessionColumnCount = 14

func sessionAt(r row) store.Session {
	s := store.Session{
		User:       r.ColumnText(2),
		Name:       r.ColumnText(3),
		Methods:    r.ColumnText(4),
		UserAgent:  r.ColumnText(5),
		Address:    r.ColumnText(6),
		Created:    timeAt(r, 7),
		AuthTime:   timeAt(r, 8),
		LastSeen:   timeAt(r, 9),
		Idle:       durationAt(r, 10),
		Deadline:   timeAt(r, 11),
		Persistent: r.ColumnInt64(12) != 0,
	}
	fill(s.ID[:], r, 0)
	fill(s.Secret[:], r, 1)
	fill(s.Lineage[:], r, 13)
	return s
}

// The conditions of being live. A writing transaction knows the epoch, ?1, and
// the time, ?2. Readers read the epoch, and take the clock of this process, ?2,
// or the time of the last write, whichever is later.
//
// The plus signs keep SQLite from finding sessions by the index on the expiry,
// which nearly all of them would match.
const (
	live       = `+epoch = ?1 AND +expires > ?2`
	readerLive = `meta.one = 1 AND +session.epoch = meta.epoch AND +expires > ` + readerNow
	readerNow  = `max(?2, clock)`
	selectLive = `SELECT ` + sessionColumns + `, ` + readerNow + ` FROM meta CROSS JOIN session WHERE ` + readerLive
)

// liveAt reads a row of selectLive.
func liveAt(r row) store.Session {
	s := sessionAt(r)
	s.AsOf = timeAt(r, sessionColumnCount)
	return s
}

// Find implements [store.Store].
func (s *Store) Find(ctx context.Context, id store.SID) (found store.Session, err error) {
	err = s.read(ctx, func(c *conn, now time.Time) error {
		ok, err := c.one(func(r row) { found = liveAt(r) }, selectLive+` AND sid = ?1`, id, now)
		return orNotFound(ok, err)
	})
	return found, err
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) (found []store.Session, err error) {
	sql := selectLive + ` AND sid > ?1 ORDER BY sid LIMIT ?3`
	args := []any{q.After, nil, listLimit(q)}
	if q.User != "" {
		sql = selectLive + ` AND sid > ?1 AND user = ?4 AND user <> '' ORDER BY sid LIMIT ?3`
		args = append(args, q.User)
	}
	err = s.read(ctx, func(c *conn, now time.Time) error {
		args[1] = now
		return c.each(func(r row) { found = append(found, liveAt(r)) }, sql, args...)
	})
	return found, err
}

func listLimit(q store.Query) int {
	return min(cmp.Or(max(q.Limit, 0), store.MaxBatch), store.MaxBatch)
}

func orNotFound(found bool, err error) error {
	if err == nil && !found {
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
	return write(ctx, s, func(t *tx) (store.Session, error) {
		if err := t.mayCreate(c); err != nil {
			return store.Session{}, err
		}
		return t.create(c)
	})
}

// mayCreate checks everything that Create can be refused for, but for the id.
func (t *tx) mayCreate(c store.Creation) error {
	if c.Generation != 0 {
		if current, err := t.generation(c.Session.User); err != nil {
			return err
		} else if current != c.Generation {
			return store.ErrSuperseded
		}
	}
	if c.Replaces.IsZero() {
		return t.room()
	}
	return t.live(c.Replaces)
}

// room returns ErrFull where the file has reached its limit.
func (t *tx) room() error {
	if t.full {
		return fmt.Errorf("%w (sqlite.Config.MaxBytes)", store.ErrFull)
	}
	return nil
}

// live returns ErrNotFound unless the session is live.
func (t *tx) live(id store.SID) error {
	return orNotFound(t.one(func(row) {}, `SELECT 1 FROM session WHERE `+live+` AND sid = ?3`, t.epoch, t.now, id))
}

func (t *tx) create(c store.Creation) (store.Session, error) {
	s := stamp(c, t.now)
	if err := t.insert(s, c.Refresh); err != nil {
		return s, err
	}
	if err := t.firstValues(c); err != nil {
		return s, err
	}
	if !c.Replaces.IsZero() {
		if _, err := t.end(c.Replaces, c.Retain); err != nil {
			return s, err
		}
	}
	return s, t.keepNewest(c)
}

// insert adds the session's row. It is the first write of Create: where the id
// is taken nothing has changed. One that EndAll has ended is absent, though its
// row may still wait for Purge.
func (t *tx) insert(s store.Session, seed store.RefreshSeed) error {
	added, err := t.insertRow(s, seed)
	if err != nil || added {
		return err
	}
	absent, err := t.one(func(row) {}, `SELECT 1 FROM session WHERE sid = ? AND epoch < ?`, s.ID, t.epoch)
	if err != nil {
		return err
	}
	if !absent {
		return fmt.Errorf("%w: the session id exists", store.ErrConflict)
	}
	if err := t.remove(s.ID); err != nil {
		return err
	}
	_, err = t.insertRow(s, seed)
	return err
}

// insertRow reports whether the id was free.
func (t *tx) insertRow(s store.Session, seed store.RefreshSeed) (bool, error) {
	var lineage, family, current []byte
	if !s.Lineage.IsZero() {
		lineage = s.Lineage[:]
	}
	if seed != (store.RefreshSeed{}) {
		family, current = seed.Family[:], seed.Current[:]
	}
	added, err := t.exec(`INSERT INTO session (`+sessionColumns+`, epoch, family, current)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		s.ID, s.Secret[:], s.User, s.Name, s.Methods, s.UserAgent, s.Address,
		s.Created, s.AuthTime, s.LastSeen, s.Idle, s.Deadline, s.Persistent, lineage,
		t.epoch, family, current)
	return added == 1, err
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
func (t *tx) keepNewest(c store.Creation) error {
	if c.Limit <= 0 || c.Session.User == "" {
		return nil
	}
	// The index alone tells, nearly always, that there is nothing to do.
	more, err := t.one(func(row) {}, `SELECT 1 FROM session WHERE user = ? AND user <> '' LIMIT 1 OFFSET ?`, c.Session.User, c.Limit)
	if err != nil || !more {
		return err
	}
	var excess []store.SID
	err = t.each(func(r row) { excess = append(excess, sidAt(r, 0)) },
		`SELECT sid FROM session WHERE `+live+` AND user = ?3 AND user <> '' AND sid <> ?4
		ORDER BY created DESC, sid DESC LIMIT -1 OFFSET ?5`,
		t.epoch, t.now, c.Session.User, c.Session.ID, c.Limit-1)
	if err != nil {
		return err
	}
	_, err = t.endEach(excess, c.Retain)
	return err
}

func sidAt(r row, column int) (id store.SID) {
	fill(id[:], r, column)
	return id
}
