package counterfoil

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The documents are tested: what they show compiles, what they name exists, and
// their tables are complete.

// documents are the texts by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			texts[path] = read(t, path)
		}
	}
	if len(texts) < 8 {
		t.Fatalf("found %d documents only", len(texts))
	}
	return texts
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var goBlock = regexp.MustCompile("(?s)(?:<!-- (\\S+) -->\n)?```go\n(.*?)```")

// Go code in a document is part of a file, which is compiled and tested.
func TestDocumentsShowCodeThatCompiles(t *testing.T) {
	shown := map[string]int{}
	for path, text := range documents(t) {
		for _, block := range goBlock.FindAllStringSubmatch(text, -1) {
			file, code := block[1], block[2]
			if file == "" {
				t.Errorf("%s: say above the code which file it is part of:\n%s", path, code)
				continue
			}
			shown[file]++
			if !strings.Contains(read(t, file), code) {
				t.Errorf("%s: this is not in %s:\n%s", path, file, code)
			}
		}
	}
	if shown["examples/twenty-lines/main.go"] == 0 || shown["examples/how-sessions-work/main.go"] == 0 {
		t.Errorf("the examples are not shown: %v", shown)
	}
}

// The story is short enough to be read at one go, and told in full.
func TestHowSessionsWorkIsShortAndWhole(t *testing.T) {
	file := "examples/how-sessions-work/main.go"
	program := read(t, file)
	document := read(t, "docs/how-sessions-work.md")
	lines := strings.Count(program, "\n")
	if lines > 60 || !strings.Contains(document, fmt.Sprintf("%d lines", lines)) {
		t.Errorf("%s has %d lines: want 60 at most, and that the document says so", file, lines)
	}
	_, body, _ := strings.Cut(program, "func site(")
	for line := range strings.Lines("func site(" + body) {
		if !strings.Contains(document, line) {
			t.Errorf("the document does not show this line: %s", line)
		}
	}
}

var (
	testReference  = regexp.MustCompile("`([\\w/.-]+_test\\.go):((?:Test|Fuzz|Benchmark|Example)\\w*)`")
	storeReference = regexp.MustCompile("`storetest:(\\w+)/([^`]+)`")
	link           = regexp.MustCompile(`\]\(([^)#]*)#?([^)]*)\)`)
	heading        = regexp.MustCompile(`(?m)^#+ (.*)$`)
	punctuation    = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// Tests and files that a document names are there.
func TestReferencesExist(t *testing.T) {
	rules := ""
	files, err := filepath.Glob("store/storetest/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		rules += read(t, file)
	}
	for path, text := range documents(t) {
		for _, m := range testReference.FindAllStringSubmatch(text, -1) {
			if code, err := os.ReadFile(m[1]); err != nil || !strings.Contains(string(code), "func "+m[2]+"(") {
				t.Errorf("%s: there is no %s in %s", path, m[2], m[1])
			}
		}
		for _, m := range storeReference.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(rules, fmt.Sprintf("{%q, ", m[1])) || !strings.Contains(rules, fmt.Sprintf("name: %q", m[2])) {
				t.Errorf("%s: there is no storetest rule %s/%s", path, m[1], m[2])
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			file, place := filepath.Join(filepath.Dir(path), m[1]), m[2]
			if m[1] == "" {
				file = path
			}
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link leads nowhere: %v", path, err)
			} else if place != "" && !slices.Contains(anchors(read(t, file)), place) {
				t.Errorf("%s: there is no place %q in %s", path, place, file)
			}
		}
	}
}

// anchors are the places in a document that a link can lead to: its headings,
// as the usual viewers name them.
func anchors(text string) (names []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := punctuation.ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

var fieldOrMethod = regexp.MustCompile("`(?:Config|Login|Manager|Session|Key|Event)\\.(\\w+)`")

// What the documents say about the library's interface is there.
func TestNamesExist(t *testing.T) {
	code := ""
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		code += read(t, file)
	}
	for path, text := range documents(t) {
		for _, m := range fieldOrMethod.FindAllStringSubmatch(text, -1) {
			declared := regexp.MustCompile(`(?m)(^\t|, )` + m[1] + `\b[\w, ]* \S|^func \(\S+ \S+\) ` + m[1] + `\(`)
			if !declared.MatchString(code) {
				t.Errorf("%s: the library has no %s", path, m[0])
			}
		}
	}
}

// rows are the rows of the tables whose first cell matches: the row itself, what
// the first cell captures, and the second cell.
func rows(text string, first string) [][]string {
	return regexp.MustCompile(`(?m)^\| *`+first+` *\|([^|]*)\|`).FindAllStringSubmatch(text, -1)
}

// Every command of the program stands in the operator's table.
func TestCommandTable(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), "go", "run", "./cmd/counterfoil", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(help), "\nCommands:\n")
	commands := regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?)`).FindAllStringSubmatch(list, -1)
	if len(commands) < 10 {
		t.Fatalf("the help says:\n%s", help)
	}
	text := read(t, "docs/operations.md")
	for _, m := range commands {
		if !strings.Contains(text, "`"+m[1]) {
			t.Errorf("docs/operations.md lacks the command %q", m[1])
		}
	}
}

// writtenProblems are the problems, as code and status, that a package writes one
// by one.
func writtenProblems(t *testing.T, pattern string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[string]int{}
	for status := 400; status < 600; status++ {
		statuses[strings.ReplaceAll(http.StatusText(status), " ", "")] = status
	}
	statuses[""] = http.StatusServiceUnavailable // what busy answers with
	written := regexp.MustCompile(`(?:problem\.Write\(w, http\.Status(\w+)|busy\(w), "([a-z-]+)"`)
	for _, file := range files {
		for _, m := range written.FindAllStringSubmatch(read(t, file), -1) {
			found = append(found, fmt.Sprintf("%s %d", m[2], statuses[m[1]]))
		}
	}
	if len(found) < 4 {
		t.Fatalf("the problems of %s are written in another way by now: %v", pattern, found)
	}
	return found
}

// Every kind of problem that the library, the server, the hub or a verifier
// answers with stands in the catalogue, with its status, and nothing else does.
func TestErrorCatalogue(t *testing.T) {
	want := map[string]bool{}
	for _, p := range problems {
		want[fmt.Sprintf("%s %d", p.code, p.status)] = true
	}
	// The server's own problems can't be imported: this package may not know it.
	server := read(t, "server/errors.go")
	found := regexp.MustCompile(`(?m)^\t\{\S+, "([a-z-]+)", (\d{3}), `).FindAllStringSubmatch(server, -1)
	for _, m := range found {
		want[m[1]+" "+m[2]] = true
	}
	front := regexp.MustCompile(`(?m)^\t\{\S+, "([a-z-]+)", (\d{3}), `).FindAllStringSubmatch(read(t, "forwardauth/errors.go"), -1)
	for _, m := range front {
		want[m[1]+" "+m[2]] = true
	}
	want["throttled 429"] = strings.Contains(server, `"throttled", http.StatusTooManyRequests`)
	if len(found) < 5 || len(front) < 4 || !want["throttled 429"] {
		t.Fatalf("the problems of the server are written in another way by now: %v", found)
	}

	for _, k := range append(writtenProblems(t, "feed/*.go"), writtenProblems(t, "verify/*.go")...) {
		want[k] = true
	}

	got := map[string]bool{}
	for _, row := range rows(read(t, "docs/errors.md"), "`urn:counterfoil:problem:([a-z-]+)`") {
		for status := range strings.FieldsSeq(strings.ReplaceAll(row[2], ",", " ")) {
			if regexp.MustCompile(`^\d{3}$`).MatchString(status) {
				got[row[1]+" "+status] = true
			}
		}
	}
	for k := range want {
		if !got[k] {
			t.Errorf("docs/errors.md lacks %s", k)
		}
	}
	for k := range got {
		if !want[k] {
			t.Errorf("docs/errors.md has %s, and the code has not", k)
		}
	}
}

// The tables of routes are what routes.go says.
func TestRouteTables(t *testing.T) {
	var want, got []string
	for _, m := range regexp.MustCompile(`"((?:GET|POST|PUT|PATCH|DELETE) /[^"]*)"`).FindAllStringSubmatch(read(t, "server/routes.go"), -1) {
		want = append(want, m[1])
	}
	for _, row := range rows(read(t, "docs/api.md"), "`([A-Z]+ /[^`]*)`") {
		got = append(got, row[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 20 || !slices.Equal(got, want) {
		t.Errorf("the routes are %q, docs/api.md has %q", want, got)
	}
}

// Every sentinel of the library and of package verify stands in the catalogue.
func TestSentinelsAreInTheCatalogue(t *testing.T) {
	text := read(t, "docs/errors.md")
	sentinel := regexp.MustCompile(`(?m)^\t(Err\w+) += (?:errors\.New|fmt\.Errorf)`)
	for _, c := range []struct {
		file, prefix string
		least        int
	}{{"errors.go", "", 15}, {"verify/check.go", "verify.", 5}} {
		sentinels := sentinel.FindAllStringSubmatch(read(t, c.file), -1)
		if len(sentinels) < c.least {
			t.Fatalf("found %d sentinels only in %s", len(sentinels), c.file)
		}
		for _, m := range sentinels {
			if !strings.Contains(text, "`"+c.prefix+m[1]+"`") {
				t.Errorf("docs/errors.md lacks %s%s", c.prefix, m[1])
			}
		}
	}
}

// The operator's table of flags is what the command itself says.
func TestFlagTable(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), "go", "run", "./cmd/counterfoil", "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		want[m[1]] = true
	}
	defaults := regexp.MustCompile(`(?m)^ +--([a-z-]+)=([0-9]\w*)`).FindAllStringSubmatch(string(help), -1)
	if len(want) < 10 || len(defaults) < 3 {
		t.Fatalf("the help says:\n%s", help)
	}
	text := read(t, "docs/operations.md")
	got := map[string]bool{}
	for _, row := range rows(text, "`--([a-z-]+)`") {
		name := row[1]
		got[name] = true
		env := "`COUNTERFOIL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "`"
		if !want[name] || !strings.Contains(row[2], env) {
			t.Errorf("docs/operations.md: --%s: the command has it: %t; its variable is %s", name, want[name], env)
		}
	}
	for name := range want {
		if !got[name] {
			t.Errorf("docs/operations.md lacks --%s", name)
		}
	}
	for _, m := range defaults {
		if !regexp.MustCompile("(?m)^\\| `--" + m[1] + "` \\|[^|]*\\| `" + m[2] + "`").MatchString(text) {
			t.Errorf("docs/operations.md does not say that --%s is %s unless set", m[1], m[2])
		}
	}
}

// The tables of the security model have every line, each once.
func TestSecurityTablesAreComplete(t *testing.T) {
	text := read(t, "docs/security.md")
	var want, got []string
	for n := range 15 {
		want = append(want, fmt.Sprintf("D%d", n+1))
	}
	for n := range 52 {
		want = append(want, fmt.Sprint(n+1))
	}
	for _, row := range rows(text, `(D?\d+)`) {
		got = append(got, row[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("defects and requirements are %v, want %v", got, want)
	}

	asvs := rows(text, `(\d+\.\d+\.\d+)`)
	verdicts := []string{"met", "partly", "not met", "not applicable", "documented"}
	seen := map[string]bool{}
	for _, row := range asvs {
		if seen[row[1]] {
			t.Errorf("ASVS %s stands there twice", row[1])
		}
		seen[row[1]] = true
		if verdict := strings.TrimSpace(row[2]); !slices.Contains(verdicts, verdict) {
			t.Errorf("ASVS %s: %q is none of %q", row[1], verdict, verdicts)
		}
	}
	if len(asvs) != 139 {
		t.Errorf("the ASVS table has %d lines, want 139", len(asvs))
	}
}

// Nobody adds an example that is not run by a test.
func TestExamplesAreTested(t *testing.T) {
	err := filepath.WalkDir("examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "main.go" {
			return err
		}
		_, err = os.Stat(filepath.Join(filepath.Dir(path), "main_test.go"))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The figures in the README are those that were measured.
func TestReadmeFiguresWereMeasured(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "README.md"), "<!-- written by make bench -->\n")
	table, _, _ := strings.Cut(rest, "<!-- to here -->\n")
	figures := regexp.MustCompile(`-?[\d.,]+ (?:ns|µs|ms)`).FindAllString(table, -1)
	if len(figures) < 4 {
		t.Fatalf("found %q only", figures)
	}
	measured := read(t, "docs/performance.md")
	for _, figure := range figures {
		if !strings.Contains(measured, "| "+figure+" |") {
			t.Errorf("docs/performance.md does not have %s: make bench writes both", figure)
		}
	}
}
