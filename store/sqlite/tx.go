package sqlite

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
)

// A state is what holds for the whole file.
type state struct {
	epoch int64
	clock time.Time
	base  store.Cursor // the last log entry that was pruned
	head  store.Cursor // the last log entry
}

// state reads the state as of the transaction.
func (c *conn) state() (s state, err error) {
	found, err := c.one(func(r row) {
		s.epoch = r.ColumnInt64(0)
		s.clock = timeAt(r, 1)
		s.base = cursorAt(r, 2)
		s.head = cursorAt(r, 4)
	}, `SELECT epoch, clock, base_pos, base_id, coalesce(pos, base_pos), coalesce(id, base_id)
		FROM meta LEFT JOIN ended ON pos = (SELECT max(pos) FROM ended)`)
	if err == nil && !found {
		err = fmt.Errorf("the table meta is empty: %w", sqlite3.CORRUPT)
	}
	return s, err
}

// A tx is a transaction that writes. The operations of a group share it.
type tx struct {
	*conn
	state
	now     time.Time // the store's, read when the transaction had the write lock
	full    bool      // Config.MaxBytes is reached
	grew    bool      // the log did
	changes int64     // that the connection had made before
}

// begin waits for the write lock, which no other process holds from then on.
func begin(c *conn, clock *store.Clock, maxBytes int64) (*tx, error) {
	if err := c.checkPlace(); err != nil {
		return nil, err
	}
	if _, err := c.exec(`BEGIN IMMEDIATE`); err != nil {
		return nil, err
	}
	t := &tx{conn: c, changes: c.TotalChanges()}
	err := t.start(clock, maxBytes)
	if err != nil {
		return nil, t.rollback(err)
	}
	return t, nil
}

func (t *tx) start(clock *store.Clock, maxBytes int64) (err error) {
	if t.state, err = t.conn.state(); err != nil {
		return err
	}
	clock.Advance(t.clock)
	t.now = clock.Now()
	if maxBytes > 0 {
		used, err := t.integer(`SELECT (page_count - freelist_count) * page_size
			FROM pragma_page_count, pragma_freelist_count, pragma_page_size`)
		if err != nil {
			return err
		}
		t.full = used >= maxBytes
	}
	return nil
}

// finish writes down the time, so that no later transaction has an earlier
// one, and commits. Where nothing has changed it writes nothing.
func (t *tx) finish() error {
	if t.TotalChanges() == t.changes {
		return t.rollback(nil)
	}
	if _, err := t.exec(`UPDATE meta SET clock = ?`, t.now); err != nil {
		return t.rollback(err)
	}
	return t.commit()
}

func (t *tx) commit() error {
	_, err := t.exec(`COMMIT`)
	if err == nil {
		return nil
	}
	return t.rollback(commitError(err))
}

// rollback undoes the transaction, unless SQLite has done so, and returns err.
func (t *tx) rollback(err error) error {
	if t.GetAutocommit() {
		return err
	}
	_, rollback := t.exec(`ROLLBACK`)
	return joinRollback(err, rollback)
}

// log appends an entry to the log of ended sessions.
func (t *tx) log(kind store.Kind, id store.SID, expires time.Time) error {
	next := store.Cursor{Pos: t.head.Pos + 1}
	rand.Read(next.ID[:])
	// Rounded up: no entry may expire before its time.
	expires = expires.Add(time.Millisecond - 1)
	if _, err := t.exec(`INSERT INTO ended (pos, id, kind, sid, expires) VALUES (?, ?, ?, ?, ?)`,
		int64(next.Pos), next.ID[:], int(kind), id, expires); err != nil {
		return err
	}
	t.head, t.grew = next, true
	return nil
}
