package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A file, or a directory, that the program may not write is refused with what
// to do about it.
func TestReadOnly(t *testing.T) {
	for _, tt := range []struct {
		name                string
		fileMode, directory os.FileMode
		want                string
	}{
		{"file", 0o444, 0o777, "must be allowed to write the file and its directory"},
		{"directory", 0o666, 0o555, "must be allowed to"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "test.db")
			ours(t, path)
			for _, change := range []error{os.Chmod(path, tt.fileMode), os.Chmod(dir, tt.directory), os.Chmod(filepath.Dir(dir), 0o755)} {
				if change != nil {
					t.Fatal(change)
				}
			}
			var err error
			asNobody(t, func() { err = openError(t, path) })
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
			if err := os.Chmod(dir, 0o755); err != nil { // so that it can be removed
				t.Fatal(err)
			}
		})
	}
}

// asNobody calls do without root's right to write everywhere. To be without it
// from the start is just as well.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	runtime.LockOSThread() // the right is the thread's
	defer runtime.UnlockOSThread()
	uid := os.Geteuid()
	if uid == 0 {
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Setfsuid(uid); err != nil {
				t.Error(err)
			}
		}()
	}
	do()
}
