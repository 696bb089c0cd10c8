package counterfoil_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/counterfoil/counterfoil"

// allowed says what each package may import of this module, directly or not,
// and of others. Imports point one way: what stands lower in this table may use
// what stands higher. A package that is not here is not part of the plan yet.
var allowed = []struct {
	pkg    string
	ours   []string
	others []string
}{
	{"/internal/problem", nil, nil},
	{"/store", nil, nil},
	{"/internal/mutants", nil, nil},
	{"/token", nil, []string{"github.com/go-jose/go-jose/v4"}},
	{"/store/memory", []string{"/store"}, nil},
	{"/store/sqlite", []string{"/store"}, []string{"github.com/ncruces"}},
	{"/store/postgres", []string{"/store"}, []string{"github.com/jackc", "golang.org/x/sync", "golang.org/x/text"}},
	{"/store/redis", []string{"/store"}, []string{"github.com/valkey-io/valkey-go"}},
	{"/store/storetest", []string{"/store"}, []string{"pgregory.net/rapid"}},
	{"/feed", []string{"/internal/problem", "/store"}, nil},
	{"/verify", []string{"/feed", "/internal/problem", "/store", "/token"}, []string{"github.com/go-jose/go-jose/v4"}},
	{"", []string{"/feed", "/internal/problem", "/store", "/store/memory", "/token"}, []string{"github.com/go-jose/go-jose/v4"}},
	{"/forwardauth", []string{"", "/feed", "/internal/problem", "/store", "/store/memory", "/token"}, []string{"github.com/go-jose/go-jose/v4"}},
	{"/counterfoiltest", []string{"", "/feed", "/internal/problem", "/store", "/store/memory", "/token"}, []string{"github.com/go-jose/go-jose/v4"}},
	{"/internal/servers", nil, []string{"github.com/jackc", "golang.org/x/text"}},
	{"/internal/faults", []string{"/internal/servers", "/store"}, []string{"github.com/anishathalye/porcupine", "github.com/jackc", "golang.org/x/text"}},
	{"/server/database", nil, []string{"github.com/jackc", "github.com/ncruces", "golang.org/x/sync", "golang.org/x/text"}},
	{"/server/account", []string{"/server/database"}, []string{"github.com/jackc", "github.com/ncruces", "golang.org/x/crypto", "golang.org/x/sync", "golang.org/x/text", "github.com/ccojocar/zxcvbn-go"}},
	{"/server/outbox", []string{"/server/database", "/store"}, []string{"github.com/jackc", "github.com/ncruces", "golang.org/x/sync", "golang.org/x/text"}},
	{"/server/client", []string{"/server/database", "/store"}, []string{"github.com/go-jose/go-jose/v4", "github.com/jackc", "github.com/ncruces", "golang.org/x/sync", "golang.org/x/text"}},
	{"/server/pages", nil, nil},
	{"/server", []string{"", "/feed", "/forwardauth", "/internal/problem", "/store", "/store/memory", "/store/sqlite", "/token", "/server/account", "/server/client", "/server/database", "/server/outbox", "/server/pages"}, nil},
}

// What the standard library and the allowed modules need for themselves.
var alwaysAllowed = []string{"golang.org/x/sys", "vendor/"}

func TestImportsPointOneWay(t *testing.T) {
	for _, rule := range allowed {
		t.Run("counterfoil"+rule.pkg, func(t *testing.T) {
			for _, dep := range dependencies(t, module+rule.pkg) {
				ours, inside := strings.CutPrefix(dep, module)
				switch {
				case dep == module+rule.pkg:
				case inside && strings.HasPrefix(ours, "/store/internal/"): // of the stores that it may import
				case inside:
					if !slices.Contains(rule.ours, ours) {
						t.Errorf("imports %s, which must not stand below it", dep)
					}
				case rule.pkg == "/server": // its own business, and its packages' above
				case !hasPrefix(dep, rule.others) && !hasPrefix(dep, alwaysAllowed):
					t.Errorf("imports %s, which it should do without", dep)
				}
			}
		})
	}
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// dependencies lists what a package imports, directly or not, without the
// standard library.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard", pkg).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var deps []string
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Standard   bool
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return deps
		} else if err != nil {
			t.Fatal(err)
		}
		if !p.Standard {
			deps = append(deps, p.ImportPath)
		}
	}
}
