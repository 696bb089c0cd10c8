package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// intro is what a reader needs to know before the first table.
var intro = []string{
	"What Counterfoil costs beside the libraries that you would take instead, on the same work, measured in one run by one program. `make bench` writes this page; no figure in it was typed by hand. What was measured is a program's share of one machine: look at the ratios rather than at the times, and measure your own.",
	"**How it is measured.** An operation is repeated for about a fifth of a second, and the CPU time of the whole process, user and system, is divided by the number of operations. That includes the garbage collector, which runs beside the operation, and leaves out other programs of the machine. Each round measures every row once, in an order that changes, so that a machine that slows down slows all of them. A figure is the median of the rounds; behind it stand the quartiles, between which the middle half of the rounds lies. A ratio is the median of the ratios of each round.",
	"**What is compared.** Every library is in its newest release, set up as its own documents show, where they leave a choice in the way that is faster; the adapters in [bench](../bench) say which. The requests, the session's contents and the claims of a token are the same for all. A test of every adapter shows that it does the work: that what is read is what was set, that a wrong token is refused. Rows in bold are ours, rows in italics are no library but a limit: the bare handler, or the standard library's cryptography alone.",
	"**Targets** are ratios and figures that we set ourselves before. The program judges them, and it lists [where we lose](#where-we-lose): every figure in which another library is ahead of us.",
}

// facts are the machine and the versions, as they say themselves.
func facts(p measure.Plan) []report.Fact {
	f := []report.Fact{
		{Name: "processor", Value: fmt.Sprintf("%s, %d cores", fromFile("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{Name: "memory", Value: memory()},
		{Name: "system", Value: output("uname", "-srm")},
		{Name: "Go", Value: fmt.Sprintf("%s, GOMAXPROCS %d", runtime.Version(), runtime.GOMAXPROCS(0))},
		{Name: "rounds", Value: fmt.Sprintf("%d, of about %v for each row", p.Rounds, p.Time)},
	}
	if p.Quick {
		f = append(f, report.Fact{Name: "**a first look**", Value: "run with -quick: small data sets, few rounds"})
	}
	f = append(f, report.Fact{Name: "Redis", Value: output("redis-server", "--version")})
	f = append(f, report.Fact{Name: "PostgreSQL", Value: postgres()})
	return append(f, peers()...)
}

// peers are the versions of the modules that the packages of this program
// import by name.
func peers() (f []report.Fact) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, m := range info.Deps {
		if slices.Contains(compared, m.Path) {
			f = append(f, report.Fact{Name: m.Path, Value: m.Version})
		}
	}
	return f
}

// compared are the modules whose version is shown.
var compared = []string{
	"github.com/alexedwards/scs/v2",
	"github.com/alexedwards/scs/goredisstore",
	"github.com/alexedwards/scs/pgxstore",
	"github.com/alexedwards/scs/sqlite3store",
	"github.com/gin-contrib/sessions",
	"github.com/gin-gonic/gin",
	"github.com/go-jose/go-jose/v4",
	"github.com/gofiber/fiber/v3",
	"github.com/gofiber/storage/redis/v3",
	"github.com/golang-jwt/jwt/v5",
	"github.com/gorilla/csrf",
	"github.com/gorilla/sessions",
	"github.com/jackc/pgx/v5",
	"github.com/justinas/nosurf",
	"github.com/lestrrat-go/jwx/v3",
	"github.com/mattn/go-sqlite3",
	"github.com/ncruces/go-sqlite3",
	"github.com/redis/go-redis/v9",
	"github.com/valkey-io/valkey-go",
	"github.com/valyala/fasthttp",
}

// fromFile returns the first value of a name in a file of "name: value" lines.
func fromFile(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if n, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(n) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// memory is how much the machine has.
func memory() string {
	var kibibytes float64
	if _, err := fmt.Sscanf(fromFile("/proc/meminfo", "MemTotal"), "%f kB", &kibibytes); err != nil {
		return "unknown"
	}
	return report.Bytes.Format(kibibytes * 1024)
}

// output is what a command says.
func output(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return "not installed"
	}
	return strings.TrimSpace(string(text))
}

// postgres is the version of the newest server that is installed, which is the
// one that is started.
func postgres() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return output("postgres", "--version")
	}
	return output(found[len(found)-1], "--version")
}
