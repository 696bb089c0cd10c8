package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil/server/database"
)

const (
	defaultDatabase = "counterfoil.db"
	defaultSecret   = "counterfoil.secret"
)

// A kind of database.
type kind string

const (
	inMemory   kind = "memory"
	inSQLite   kind = "sqlite"
	inPostgres kind = "postgres"
	inRedis    kind = "redis"
)

// kinds gives the kind for what a place begins with, up to the colon.
var kinds = func() map[string]kind {
	all := map[string]kind{"memory": inMemory, "sqlite": inSQLite, "postgres": inPostgres, "postgresql": inPostgres}
	for _, protocol := range []string{"redis", "rediss", "valkey", "valkeys"} {
		for _, how := range []string{"", "+sentinel", "+cluster", "+unix"} {
			all[protocol+how] = inRedis
		}
	}
	return all
}()

// shapes show how the place of a server is written.
var shapes = map[kind]string{
	inPostgres: "://USER:PASSWORD@HOST/DATABASE",
	inRedis:    "://USER:PASSWORD@HOST",
}

// A place is where sessions or users are kept: a parsed --store or --accounts.
type place struct {
	kind kind
	at   string // the path of a file, or the URL of a server, which may hold a password
}

func (o *options) storePlace() (place, error) { return parsePlace("store", o.Store) }

func (o *options) accountsPlace() (place, error) {
	if o.Accounts != "" {
		p, err := parsePlace("accounts", o.Accounts)
		if err == nil && !p.isSQL() {
			return p, usagef("accounts can't be kept in %s: use sqlite:PATH or postgres%s", p.kind, shapes[inPostgres])
		}
		return p, err
	}
	p, err := o.storePlace()
	if err == nil && !p.isSQL() {
		p = place{inSQLite, defaultDatabase}
	}
	return p, err
}

// accountsFlag is the flag that says where the users are.
func (o *options) accountsFlag() string {
	if p, err := o.storePlace(); err == nil && p.isSQL() && o.Accounts == "" {
		return "store"
	}
	return "accounts"
}

func (p place) isSQL() bool { return p.kind == inSQLite || p.kind == inPostgres }

// parsePlace reads the value of a flag.
func parsePlace(what, value string) (place, error) {
	name, rest, colon := strings.Cut(value, ":")
	k := kinds[name]
	switch {
	case !colon:
	case k == inSQLite && rest != "":
		return place{k, rest}, nil
	case k == inMemory && rest == "":
		return place{kind: k}, nil
	case shapes[k] != "" && strings.HasPrefix(rest, "//"):
		return place{k, value}, nil
	}
	return place{}, usagef("unknown %s %q (%s)", what, shown(value), meant(name, rest, colon))
}

// meant is a hint to what a place should have been.
func meant(name, rest string, colon bool) string {
	closest := closest(name, slices.Sorted(maps.Keys(kinds)))
	switch k := kinds[closest]; {
	case shapes[k] != "":
		return "did you mean " + closest + shapes[k] + "?"
	case k == inMemory:
		return "did you mean memory:?"
	case hasSecret(name + rest):
		return "there are sqlite:PATH, memory:, postgres:// and redis://"
	case !colon && name != "":
		return "did you mean sqlite:" + name + "?"
	case rest == "":
		return "did you mean sqlite:" + defaultDatabase + "?"
	}
	return "did you mean sqlite:" + rest + "?"
}

// shown is a value as it may be printed.
func shown(value string) string {
	name, _, colon := strings.Cut(value, ":")
	switch {
	case !hasSecret(value):
		return value
	case colon && !hasSecret(name):
		return name + ":…"
	}
	return "…"
}

// hasSecret reports whether a value could be a URL, and hold a password.
func hasSecret(value string) bool {
	return strings.Contains(value, "//") || strings.Contains(value, "@")
}

// cannotOpen says what to look at.
func (p place) cannotOpen(flag string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if shapes[p.kind] == "" {
		return usageError{err}
	}
	return usagef("%w (does the server run, and is --%[2]s, or COUNTERFOIL_%[3]s, right?)", err, flag, strings.ToUpper(flag))
}

// errNothing: a database is not there, or holds something else.
var errNothing = errors.New("run this where the server runs, or say where it keeps them")

// mustHold refuses a database in which a table is missing: nobody has ever kept
// there what is looked for.
func (p place) mustHold(ctx context.Context, table, flag, what string) error {
	there, err := p.holds(ctx, table)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usagef("there is no database %s with %s: %w by --%s", p.at, what, errNothing, flag)
	case errors.Is(err, database.ErrNoSQLite): // what is opened next may write beside it
		return usagef("open %s: %w", p.at, err)
	case err != nil || there:
		return nil // whoever opens it next says what is wrong
	case p.kind == inSQLite:
		return usagef("there are no %s in %s: %w by --%s", what, p.at, errNothing, flag)
	}
	return usagef("there are no %s in this database: %w by --%s", what, errNothing, flag)
}

// holds looks for a table, and changes nothing. Redis has no tables, and makes
// what it needs as it goes.
func (p place) holds(ctx context.Context, table string) (bool, error) {
	switch p.kind {
	case inSQLite:
		return database.FileHas(p.at, table)
	case inPostgres:
		db, err := database.OpenPostgres(p.at)
		if err != nil {
			return false, err
		}
		defer db.Close()
		return db.Has(ctx, table)
	}
	return true, nil
}

// besideDatabase is a file in the directory of the database, or in the working
// directory where the database is no file.
func (p place) besideDatabase(name string) string {
	if p.kind == inSQLite {
		return filepath.Join(filepath.Dir(p.at), name)
	}
	return name
}
