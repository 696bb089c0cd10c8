package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// A file is the absolute path of a database, free of symbolic links.
type file string

// prepare finds the file, makes it where it is missing, and looks at its
// header: SQLite must not touch what is somebody else's.
func prepare(path string) (file, error) {
	if path == "" || path == ":memory:" {
		return "", errors.New("it needs the path of a file; to keep sessions in memory take store/memory")
	}
	// Nobody else may read it: it says who is logged in from where.
	made, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: make the directory first", err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("%w: this program must be allowed to write the file and its directory", err)
	}
	if err != nil {
		return "", err
	}
	if err := errors.Join(checkHeader(made), made.Close()); err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	path, err = filepath.EvalSymlinks(path)
	return file(path), err
}

// checkHeader refuses a file whose first bytes are not those of a database that
// could be ours. The format: https://sqlite.org/fileformat.html#the_database_header
func checkHeader(f *os.File) error {
	var header [100]byte
	switch n, err := f.ReadAt(header[:], 0); {
	case n == 0 && err == io.EOF:
		return nil // new
	case err != nil && err != io.EOF:
		return err
	}
	if string(header[:16]) != "SQLite format 3\x00" {
		// A journal beside it means that its making was cut short, or goes on
		// in another process: SQLite will see to it.
		if _, err := os.Stat(f.Name() + "-journal"); err == nil {
			return nil
		}
		return errors.New("it is not an SQLite database: choose another path")
	}
	if id := binary.BigEndian.Uint32(header[68:]); id != applicationID && id != 0 {
		return errForeign
	}
	return nil
}

var errForeign = errors.New("it is another program's database: choose another path")

// checkOwner refuses a database of which the header does not say whose it is,
// and that holds anything but tables of our own server, which may have come first:
// those of its accounts, its outbox and its clients.
func checkOwner(c *conn) (err error) {
	// One look: another process may be making the file right now.
	if err := c.Exec(`BEGIN`); err != nil {
		return err
	}
	defer func() { err = joinRollback(err, c.Exec(`ROLLBACK`)) }()

	id, err := c.integer(`PRAGMA application_id`)
	if err != nil || id == applicationID {
		return err
	}
	foreign, err := c.integer(`SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'sqlite_sequence'
		AND substr(tbl_name, 1, instr(tbl_name, '_')) NOT IN ('account_', 'outbox_', 'client_')`)
	if err != nil {
		return err
	}
	if id != 0 || foreign > 0 {
		return errForeign
	}
	return nil
}

// uri is the file as SQLite wants it named. The parameter gives the log that
// SQLite keeps beside the file the file's mode.
func (f file) uri() string {
	path := filepath.ToSlash(string(f))
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: "vfs=" + vfsName}
	if runtime.GOOS != "windows" {
		u.RawQuery += "&modeof=" + strings.ReplaceAll(url.QueryEscape(string(f)), "+", "%20")
	}
	return u.String()
}

// protectIndex gives the index of the log, which SQLite keeps in shared memory
// beside the file, the file's mode.
func (f file) protectIndex() error {
	info, err := os.Stat(string(f))
	if err != nil {
		return err
	}
	return os.Chmod(string(f)+"-shm", info.Mode().Perm())
}

// errMoved means that the path no longer leads to the file that is open. To go
// on would be to keep sessions, and logouts, that nobody else sees.
var errMoved = errors.New("the database file was moved or replaced while it was open: restart the program")

// checkPlace returns errMoved where the file is no longer where it was opened.
func (c *conn) checkPlace() error {
	opened, err := c.FileControl("main", sqlite3.FCNTL_FILE_POINTER)
	if err != nil {
		return err
	}
	if wrapper, ok := opened.(vfs.FileUnwrap); ok {
		opened = wrapper.Unwrap()
	}
	f, ok := opened.(vfs.FileHasMoved)
	if !ok {
		return nil
	}
	moved, err := f.HasMoved()
	if err == nil && moved {
		err = errMoved
	}
	return err
}

// explain adds what the operator can do about an error of SQLite.
func explain(err error) error {
	for _, e := range []struct {
		code error
		hint string
	}{
		{sqlite3.BUSY, "another program holds a lock on the database: end it, or let it finish"},
		{sqlite3.NOTADB, "it is not an SQLite database: choose another path"},
		{sqlite3.CORRUPT, "the database is damaged: restore it from a backup, or move it away to start with an empty one"},
		{sqlite3.READONLY, "this program must be allowed to write the file and its directory"},
		{sqlite3.CANTOPEN, "this program must be allowed to make files in its directory"},
	} {
		if errors.Is(err, e.code) {
			return fmt.Errorf("%w: %s", err, e.hint)
		}
	}
	return err
}

func joinRollback(err, rollback error) error {
	if rollback != nil {
		return errors.Join(err, fmt.Errorf("roll back: %w", rollback))
	}
	return err
}
