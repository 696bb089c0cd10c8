package sqlite

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// A countedFile counts how often it is written, and fails with err.
type countedFile struct {
	vfs.File
	writes int
	err    error
}

func (f *countedFile) WriteAt(p []byte, offset int64) (int, error) {
	f.writes++
	if f.err != nil {
		return 0, f.err
	}
	return f.File.WriteAt(p, offset)
}

// "They are gathered, and written by one call of the system", which is made
// before Sync returns.
func TestLogIsGathered(t *testing.T) {
	under := &countedFile{File: new(vfsutil.SliceFile)}
	f := &walFile{File: under}
	var want []byte
	for page := range byte(10) {
		for _, part := range [][]byte{bytes.Repeat([]byte{page}, 24), bytes.Repeat([]byte{page}, 4096)} {
			if _, err := f.WriteAt(part, int64(len(want))); err != nil {
				t.Fatal(err)
			}
			want = append(want, part...)
		}
	}
	if err := f.Sync(vfs.SYNC_NORMAL); err != nil {
		t.Fatal(err)
	}
	if got := []byte(*under.File.(*vfsutil.SliceFile)); under.writes != 1 || !bytes.Equal(got, want) {
		t.Errorf("%d writes, of the right bytes: %v; want one", under.writes, bytes.Equal(got, want))
	}
}

// However it is used, a log looks as a plain file would.
func TestLogIsAFile(t *testing.T) {
	plain, under := new(vfsutil.SliceFile), new(vfsutil.SliceFile)
	log := &walFile{File: under}
	next := int64(0)
	for i := range 20_000 {
		if rand.IntN(3) == 0 {
			next = rand.Int64N(1 << 16)
		}
		p := make([]byte, 1+rand.IntN(8<<10))
		for i := range p {
			p[i] = byte(rand.Uint32())
		}
		switch rand.IntN(8) {
		case 0:
			n, err := log.ReadAt(p, next)
			q := make([]byte, len(p))
			wantN, wantErr := plain.ReadAt(q, next)
			if n != wantN || err != wantErr || !bytes.Equal(p[:n], q[:n]) {
				t.Fatalf("operation %d: reads %d, %v; want %d, %v, and the same bytes", i, n, err, wantN, wantErr)
			}
		case 1:
			got, err := log.Size()
			if want, _ := plain.Size(); got != want || err != nil {
				t.Fatalf("operation %d: size %d, error %v; want %d", i, got, err, want)
			}
		case 2:
			if err := errors.Join(log.Truncate(next), plain.Truncate(next)); err != nil {
				t.Fatal(err)
			}
		default:
			_, err := log.WriteAt(p, next)
			plain.WriteAt(p, next)
			if err != nil {
				t.Fatal(err)
			}
			next += int64(len(p))
		}
	}
	if err := log.Close(); err != nil || !bytes.Equal(*under, *plain) {
		t.Errorf("after Close: error %v, the same bytes: %v", err, bytes.Equal(*under, *plain))
	}
}

// A write that fails fails the commit, and is not made later.
func TestLogCannotBeWritten(t *testing.T) {
	for name, look := range map[string]func(vfs.File) error{
		"Sync":     func(f vfs.File) error { return f.Sync(vfs.SYNC_NORMAL) },
		"ReadAt":   func(f vfs.File) error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		"Size":     func(f vfs.File) error { _, err := f.Size(); return err },
		"Truncate": func(f vfs.File) error { return f.Truncate(0) },
		"Close":    vfs.File.Close,
	} {
		under := &countedFile{File: new(vfsutil.SliceFile), err: io.ErrShortWrite}
		f := &walFile{File: under}
		if _, err := f.WriteAt([]byte("page"), 0); err != nil {
			t.Fatal(err)
		}
		if err := look(f); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: error %v, want %v", name, err, io.ErrShortWrite)
		}
		under.err = nil
		if err := f.Sync(vfs.SYNC_NORMAL); err != nil || under.writes != 1 {
			t.Errorf("%s: %d writes, error %v; want none after the one that failed", name, under.writes, err)
		}
	}
}

// What a transaction had written before it was undone is not written later, over
// what another connection has committed meanwhile.
func TestNothingUndoneIsWritten(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	open := func() *conn {
		c, err := openConn(s.poll.file, sqlite3.OPEN_READWRITE, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.close() })
		return c
	}
	run := func(c *conn, sql string) {
		t.Helper()
		if err := c.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	const rows = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5250) INSERT INTO big (b) SELECT `
	ours, other := open(), open()
	run(ours, `CREATE TABLE big (id INTEGER PRIMARY KEY, b); PRAGMA wal_checkpoint(TRUNCATE)`)
	run(other, `PRAGMA wal_autocheckpoint = 0`)                   // as the writer
	run(ours, `BEGIN IMMEDIATE; `+rows+`randomblob(4000) FROM n`) // more than its cache holds
	run(ours, `ROLLBACK`)
	run(other, `BEGIN IMMEDIATE; `+rows+`zeroblob(4000) FROM n; COMMIT`)
	for _, c := range []*conn{ours, open()} {
		if n, err := c.integer(`SELECT count(*) FROM big WHERE b = zeroblob(4000)`); n != 5250 || err != nil {
			t.Errorf("%d of 5250 rows are as they were committed (%v)", n, err)
		}
	}
}
