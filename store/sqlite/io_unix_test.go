//go:build unix

package sqlite

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/counterfoil/counterfoil/store"
)

// limitedFile names the directory in which the test binary, run once more, may
// not write files beyond a size.
const limitedFile = "COUNTERFOIL_TEST_LIMITED"

// An error of the disk in the middle of a commit leaves the outcome open, and
// nothing half-written; when the disk works again, so does the store.
func TestDiskError(t *testing.T) {
	if dir := os.Getenv(limitedFile); dir != "" {
		failDisk(t, filepath.Join(dir, "test.db"))
		return
	}
	// A limit on files holds for a whole process, so it gets one of its own.
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskError$", "-test.v")
	cmd.Env = append(os.Environ(), limitedFile+"="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestDiskError") {
		t.Errorf("%v\n%s", err, out)
	}
}

func failDisk(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	s := openAt(t, path, Config{})
	ctx := t.Context()
	id := mustCreate(t, s, login(0))
	restore := limitFiles(t, 512<<10)
	c := login(1)
	c.Values = make([]byte, store.MaxValues)
	if _, err := s.Create(ctx, c); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("Create: error %v, want %v", err, store.ErrIndeterminate)
	}
	if err := s.SaveValues(ctx, id, 1, make([]byte, store.MaxValues)); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("SaveValues: error %v, want %v", err, store.ErrIndeterminate)
	}
	restore()
	if _, version, err := s.Values(ctx, id); err != nil || version != 1 {
		t.Errorf("values in version %d, error %v; want them as they were", version, err)
	}
	if ended, err := s.End(ctx, id, 0); err != nil || ended.Count != 1 || ended.Head.Pos != 1 {
		t.Errorf("End when the disk works again: %v, error %v", ended, err)
	}
}

// limitFiles keeps the process from writing beyond a size in any file.
func limitFiles(t *testing.T, size uint64) (restore func()) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = size
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}
}
