// Package mutants shows that tests can fail: it breaks the source of a package
// in one place, runs the tests, and wants one of them to see it.
//
//	mutants.Run(t, "TestSimulation|TestCheck",
//		mutants.New("the lease counts from the answer", "follow.go", "sent: sent", "sent: now()"))
//
// Nothing on the disk changes: the go command overlays the files.
package mutants

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A Mutant is the package with one mistake in it.
type Mutant struct {
	name  string
	edits []edit
}

type edit struct{ file, old, new string }

// New makes a mutant: it puts a text in the place of another, which must be in
// the file exactly once. So a mutant that the code has outgrown fails its test.
func New(name, file, old, new string) Mutant { return Mutant{name: name}.And(file, old, new) }

// And makes another edit, after those before.
func (m Mutant) And(file, old, new string) Mutant {
	m.edits = append(m.edits, edit{file, old, new})
	return m
}

// Run makes each mutant of the package in the working directory, which is that
// of the test that calls it, and runs those of the package's tests that the
// pattern names, with -short. It fails where they pass. The pattern must not
// name the caller. Mutants run in parallel.
func Run(t *testing.T, pattern string, all ...Mutant) {
	if regexp.MustCompile(pattern).MatchString(t.Name()) {
		t.Fatalf("%s runs itself", t.Name())
	}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			program := m.build(t)
			out, err := exec.Command(program, "-test.run", pattern, "-test.short", "-test.failfast", "-test.timeout", "1m").CombinedOutput()
			caught := bytes.Contains(out, []byte("--- FAIL: "))
			switch {
			case err == nil:
				t.Error("no test catches it")
			case !caught:
				t.Errorf("the tests did not end as tests do: %v\n%s", err, out)
			default:
				t.Log(firstFailure(string(out)))
			}
		})
	}
}

// build compiles the tests of the mutant.
func (m Mutant) build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, e := range m.edits {
		file, err := filepath.Abs(e.file)
		if err != nil {
			t.Fatal(err)
		}
		mutated, ok := overlay.Replace[file]
		if !ok {
			mutated = filepath.Join(dir, e.file)
			overlay.Replace[file] = mutated
			copyFile(t, file, mutated)
		}
		e.apply(t, mutated)
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant.test.exe")
	write(t, overlayFile, list)
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-w", "-overlay", overlayFile, "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not compile: %v\n%s", err, out)
	}
	return program
}

func (e edit) apply(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), e.old); n != 1 {
		t.Fatalf("%s holds this %d times, not once; bring the mutant along:\n%s", e.file, n, e.old)
	}
	write(t, file, []byte(strings.Replace(string(text), e.old, e.new, 1)))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, text)
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// firstFailure returns the first line that a test has reported.
func firstFailure(out string) string {
	_, out, _ = strings.Cut(out, "--- FAIL: ")
	name, rest, _ := strings.Cut(out, " (")
	_, rest, _ = strings.Cut(rest, "\n")
	line, _, _ := strings.Cut(rest, "\n")
	return name + ": " + strings.TrimSpace(line)
}
