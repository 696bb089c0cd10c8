package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

//go:embed schema.sql
var tables string

// migrations lead from each version of the schema to the next. The version is
// how many of them it has behind it. An entry that was released is never
// changed.
var migrations = []string{tables}

// A schema is the name of ours. Statements write it as "cf.".
type schema string

func newSchema(name string) (schema, error) {
	if len(name) > 63 || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("the name of the schema %q: it takes at most 63 bytes, and no NUL", name)
	}
	return schema(name), nil
}

// sql puts the name of the schema into a statement.
func (s schema) sql(statement string) string {
	return strings.ReplaceAll(statement, "cf.", s.quoted()+".")
}

// statements are those that a store has used, with the name of its schema in them.
type statements struct {
	mu    sync.RWMutex
	named map[string]string
}

// sql puts the name of the schema into one of the code's statements, once: they are
// long, and a group has several.
func (s *Store) sql(statement string) string {
	s.statements.mu.RLock()
	named, ok := s.statements.named[statement]
	s.statements.mu.RUnlock()
	if ok {
		return named
	}
	named = s.schema.sql(statement)
	s.statements.mu.Lock()
	defer s.statements.mu.Unlock()
	put(&s.statements.named, statement, named)
	return named
}

func (s schema) quoted() string { return pgx.Identifier{string(s)}.Sanitize() }

// migrate brings the schema up to the version that this program knows. Nodes
// that start at once take turns.
func migrate(ctx context.Context, c *pgx.Conn, s schema, migrations []string) error {
	version, err := s.version(ctx, c)
	if err == nil && version == len(migrations) {
		return nil // without asking for more rights than it takes
	}
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		turn := fnv.New64a()
		turn.Write([]byte("counterfoil " + s))
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(turn.Sum64())); err != nil {
			return err
		}
		return migrateLocked(ctx, tx, s, migrations)
	})
}

func migrateLocked(ctx context.Context, tx pgx.Tx, s schema, migrations []string) error {
	version, err := s.version(ctx, tx.Conn())
	switch {
	case err != nil:
		return err
	case version > len(migrations):
		return fmt.Errorf("the schema %s was made by a newer version of Counterfoil (schema %d, this program knows %d): run that version or a newer one",
			s.quoted(), version, len(migrations))
	case version == len(migrations):
		return nil
	case version == 0:
		if err := s.create(ctx, tx); err != nil {
			return err
		}
	}
	for _, step := range migrations[version:] {
		if _, err := tx.Conn().PgConn().Exec(ctx, s.sql(step)).ReadAll(); err != nil {
			return fmt.Errorf("bring the schema to version %d: %w", version+1, err)
		}
		version++
	}
	_, err = tx.Exec(ctx, s.sql(`UPDATE cf.version SET version = $1`), version)
	return err
}

// version tells how many migrations the schema has behind it.
func (s schema) version(ctx context.Context, c *pgx.Conn) (version int, err error) {
	// Not to_regclass: it may remember what was before another node had its turn.
	var there bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
		WHERE nspname = $1 AND relname = 'version')`, string(s)).Scan(&there); err != nil || !there {
		return 0, err
	}
	err = c.QueryRow(ctx, s.sql(`SELECT version FROM cf.version`)).Scan(&version)
	return version, err
}

// create makes the schema, unless an operator has done so for a role that may
// not.
func (s schema) create(ctx context.Context, tx pgx.Tx) error {
	var there bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`, string(s)).Scan(&there)
	if err == nil && !there {
		_, err = tx.Exec(ctx, `CREATE SCHEMA `+s.quoted())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make the schema %s: grant CREATE on the database, or make it and give it to the role", s.quoted()), err)
	}
	_, err = tx.Conn().PgConn().Exec(ctx, s.sql(`
		CREATE TABLE cf.version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL);
		INSERT INTO cf.version (version) VALUES (0)`)).ReadAll()
	return err
}
