package sqlite

import (
	"errors"

	"github.com/ncruces/go-sqlite3/vfs"
)

// vfsName is what SQLite knows walVFS by.
const vfsName = "counterfoil"

func init() { vfs.Register(vfsName, walVFS{vfs.Find("os").(vfs.VFSFilename)}) }

// A walVFS is the operating system's file system, but for the log.
type walVFS struct{ vfs.VFSFilename }

func (v walVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err == nil && flags&vfs.OPEN_WAL != 0 {
		f = &walFile{File: f}
	}
	return f, flags, err
}

// A walFile is a connection's log. SQLite writes each page of a commit in two
// parts, and then calls Sync: until then nobody but the connection itself looks
// for these pages. So they are gathered, and written by one call of the system;
// one for each part takes a third of the time of a commit.
//
// Nothing but a commit writes to the log, and every commit ends in Sync: that is
// what cache_spill = OFF and synchronous = FULL are for (conn.go). So nothing is
// left gathered when the lock is given back, to be written over another
// connection's commit.
//
// Everything else first writes what was gathered.
type walFile struct {
	vfs.File
	gathered []byte
	offset   int64 // in the file, of what was gathered
}

// maxGathered bounds the memory that a large transaction takes.
const maxGathered = 1 << 20

func (f *walFile) WriteAt(p []byte, offset int64) (int, error) {
	if offset != f.offset+int64(len(f.gathered)) || len(f.gathered)+len(p) > maxGathered {
		if err := f.flush(); err != nil {
			return 0, err
		}
		f.offset = offset
	}
	f.gathered = append(f.gathered, p...)
	return len(p), nil
}

// flush writes what was gathered. After an error it is gone: SQLite undoes the
// transaction, and writes another in its place.
func (f *walFile) flush() error {
	if len(f.gathered) == 0 {
		return nil
	}
	p, offset := f.gathered, f.offset
	f.gathered, f.offset = p[:0], offset+int64(len(p))
	_, err := f.File.WriteAt(p, offset)
	return err
}

func (f *walFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, offset)
}

func (f *walFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f *walFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *walFile) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

func (f *walFile) Close() error { return errors.Join(f.flush(), f.File.Close()) }
