package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An Edit puts New in the place of Old, which must be in the file exactly once:
// so an edit that the code has outgrown fails. Where Old is empty it adds a
// file. The file is named from the directory of this package, or whole.
type Edit struct{ File, Old, New string }

// Build compiles the program of package node into a directory, with edits that
// are nowhere but in that program: the go command overlays the files.
func Build(dir string, edits ...Edit) (program string, err error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for i, e := range edits {
		file, err := filepath.Abs(e.File)
		if err != nil {
			return "", err
		}
		before, edited := file, filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(file)))
		if earlier, ok := overlay.Replace[file]; ok {
			before = earlier
		}
		if err := e.apply(before, edited); err != nil {
			return "", err
		}
		overlay.Replace[file] = edited
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	overlayFile, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "node")
	if err := os.WriteFile(overlayFile, list, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-overlay", overlayFile, "-o", program, "./node").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("faults: build the node: %w\n%s", err, out)
	}
	return program, nil
}

// apply writes the edited file.
func (e Edit) apply(file, edited string) error {
	if e.Old == "" {
		return os.WriteFile(edited, []byte(e.New), 0o600)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), e.Old); n != 1 {
		return fmt.Errorf("faults: %s holds this %d times, not once; bring the edit along:\n%s", file, n, e.Old)
	}
	return os.WriteFile(edited, []byte(strings.Replace(string(text), e.Old, e.New, 1)), 0o600)
}

// WallClock gives package time a wall clock that can be moved, for the whole
// process: the system's can't be set without harm to everybody else on it. The
// monotonic clock stays as it is.
func WallClock() ([]Edit, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("faults: go env: %w", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	return []Edit{
		{"node/wall_step.go", "", "package main\n\nimport \"time\"\n\nfunc init() { stepWall = time.StepWall }\n"},
		{filepath.Join(dir, "step.go"), "", `package time

import "sync/atomic"

var stepped atomic.Int64

// StepWall moves the wall clock by whole seconds.
func StepWall(d Duration) { stepped.Add(int64(d / Second)) }
`},
		{filepath.Join(dir, "time.go"),
			"func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n",
			"func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += stepped.Load()\n"},
	}, nil
}

// A Mutant is a node with a mistake in it, and the nemesis that brings it out.
type Mutant struct {
	Name    string
	Nemesis string
	Edits   []Edit
}

// Mutants show that the rules can be broken, and that it is seen.
var Mutants = []Mutant{
	{"the lease does not end", cutNemesis, []Edit{
		{"../../feed/view.go", "t < c.lease.until", "c.lease.until > 0"},
	}},
	{"the lease counts from the answer", stopNemesis, []Edit{
		{"../../feed/follow.go", "lease{sent: sent,", "lease{sent: f.view.clock.now(),"},
		// An answer that is late is discarded, as a rule; that alone hides the mistake.
		{"../../feed/follow.go", "return f.view.config.Bound / 2 }", "return time.Minute }"},
	}},
}
