package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusesToStart: a server that can't do what it promises does not begin.
// It exits with 2, and says in a line what to do.
func TestRefusesToStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		why    string
		damage func(t *testing.T, s *site)
		hint   string
	}{
		{"another secret", "req 51: the keys in the store are sealed by one secret",
			func(t *testing.T, s *site) { s.overwrite(s.secret(), 0, strings.Repeat("0a", 32)) }, "--secret-file"},
		{"no secret", "a new secret would make every token worthless without a word",
			func(t *testing.T, s *site) { check(t, os.Remove(s.secret())) }, "--secret-file"},
		{"damaged secret", "a secret is not guessed",
			func(t *testing.T, s *site) { s.overwrite(s.secret(), 0, "not hexadecimal") }, "64 hexadecimal digits"},
		{"public secret", "13.3.1: others must not read it",
			func(t *testing.T, s *site) { check(t, os.Chmod(s.secret(), 0o644)) }, "chmod 600"},
		{"no database", "a file that is something else is left alone",
			func(t *testing.T, s *site) { s.overwrite(s.database(), 0, "PK\x03\x04 and so on") }, "choose another path"},
		{"damaged database", "what is damaged may have lost a logout",
			func(t *testing.T, s *site) { s.overwrite(s.database(), 100, strings.Repeat("\xff", 3996)) }, "restore it from a backup"},
		{"newer database", "an older program doesn't know what a newer one has promised",
			func(t *testing.T, s *site) { s.overwrite(s.database(), userVersion, "\x00\x00\x03\xe7") }, "newer version"},
		{"another program's database", "a file of somebody else is left alone",
			func(t *testing.T, s *site) { s.overwrite(s.database(), applicationID, "\x00\x00\x00\x2a") }, "choose another path"},
		{"a directory", "a path that can't be a database is named",
			func(t *testing.T, s *site) {
				check(t, os.Remove(s.database()))
				check(t, os.Mkdir(s.database(), 0o700))
			}, "directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := newSite(t)
			site.serve().stop() // makes the database and the secret
			c.damage(t, site)
			o := site.command("serve", "--listen=localhost:0")
			if o.status != 2 || strings.Contains(o.stderr, "goroutine ") || strings.Count(o.stderr, "\n") > 3 {
				t.Errorf("%s: exit status %d, want 2 and a line:\n%s", c.why, o.status, o.stderr)
			}
			if !strings.Contains(o.stderr, c.hint) {
				t.Errorf("%s: it does not say %q, but:\n%s", c.why, c.hint, o.stderr)
			}
		})
	}
}

// Where the header of an SQLite file has these numbers:
// https://sqlite.org/fileformat.html#the_database_header
const (
	userVersion   = 60
	applicationID = 68
)

func (s *site) secret() string { return filepath.Join(s.dir, "counterfoil.secret") }

// overwrite writes over a part of a file.
func (s *site) overwrite(path string, at int64, text string) {
	s.t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(s.t, err)
	_, err = f.WriteAt([]byte(text), at)
	check(s.t, err)
	check(s.t, f.Close())
}
