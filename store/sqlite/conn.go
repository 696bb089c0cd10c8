package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
)

// A conn is a connection with the statements that were prepared on it. One
// goroutine uses it at a time.
type conn struct {
	*sqlite3.Conn
	prepared map[string]*sqlite3.Stmt
}

// openConn opens a connection to a file that prepare has looked at.
func openConn(f file, flags sqlite3.OpenFlag, busy time.Duration) (*conn, error) {
	opened, err := sqlite3.OpenFlags(f.uri(), flags|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	c := &conn{opened, map[string]*sqlite3.Stmt{}}
	err = errors.Join(
		c.BusyTimeout(busy),
		// FULL: a commit returns when its log is on the disk. NORMAL would lose
		// the last logouts with the power. On macOS an fsync reaches the disk
		// only with fullfsync.
		// cache_spill: only a commit writes to the log, as walFile expects.
		// FAST: deleted rows are overwritten where it costs no writing more.
		c.Exec(`
			PRAGMA synchronous = FULL;
			PRAGMA cache_spill = OFF;
			PRAGMA fullfsync = ON;
			PRAGMA checkpoint_fullfsync = ON;
			PRAGMA secure_delete = FAST;
			PRAGMA cell_size_check = ON;
			PRAGMA trusted_schema = OFF;
			PRAGMA temp_store = MEMORY;
			PRAGMA cache_size = -16384;`),
	)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	c.prepared = nil
	return errors.Join(append(errs, c.Conn.Close())...)
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(sql string, args ...any) (int, error) {
	s, err := c.bind(sql, args)
	if err != nil {
		return 0, err
	}
	if err := s.Exec(); err != nil {
		return 0, err
	}
	return int(c.Changes()), nil
}

// each runs a statement and calls row for every row of the result.
func (c *conn) each(row func(row), sql string, args ...any) error {
	s, err := c.bind(sql, args)
	if err != nil {
		return err
	}
	for s.Step() {
		row(s)
	}
	return errors.Join(s.Err(), s.Reset())
}

// one runs a statement and reports whether it had a row, after calling row for
// the first.
func (c *conn) one(row func(row), sql string, args ...any) (bool, error) {
	s, err := c.bind(sql, args)
	if err != nil {
		return false, err
	}
	found := s.Step()
	if found {
		row(s)
	}
	return found, errors.Join(s.Err(), s.Reset())
}

// integer returns the one number that a statement yields.
func (c *conn) integer(sql string, args ...any) (n int64, err error) {
	_, err = c.one(func(r row) { n = r.ColumnInt64(0) }, sql, args...)
	return n, err
}

func (c *conn) bind(sql string, args []any) (*sqlite3.Stmt, error) {
	s := c.prepared[sql]
	if s == nil {
		var err error
		if s, _, err = c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, err
		}
		c.prepared[sql] = s
	}
	for i, arg := range args {
		if err := bindOne(s, i+1, arg); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func bindOne(s *sqlite3.Stmt, i int, arg any) error {
	switch v := arg.(type) {
	case int64:
		return s.BindInt64(i, v)
	case int:
		return s.BindInt(i, v)
	case bool:
		return s.BindBool(i, v)
	case string:
		return s.BindText(i, v)
	case []byte:
		return s.BindBlob(i, v)
	case time.Time:
		return s.BindInt64(i, millis(v))
	case time.Duration:
		return s.BindInt64(i, v.Milliseconds())
	case store.SID:
		return s.BindBlob(i, v[:])
	case nil:
		return s.BindNull(i)
	}
	panic(fmt.Sprintf("sqlite: can't bind %T", arg))
}

// A row is a statement that stands on a row of its result.
type row = *sqlite3.Stmt

// fill copies a column of known length, such as an id or a digest.
func fill(dst []byte, r row, column int) { copy(dst, r.ColumnRawBlob(column)) }

func timeAt(r row, column int) time.Time { return fromMillis(r.ColumnInt64(column)) }

func durationAt(r row, column int) time.Duration {
	return time.Duration(r.ColumnInt64(column)) * time.Millisecond
}

// Times are stored as milliseconds since 1970. The zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
