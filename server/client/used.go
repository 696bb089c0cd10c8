package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/counterfoil/counterfoil/server/database"
)

// The assertions that were used are kept beside the users, not among the
// sessions: whoever ends those must not make one good again, and neither must a
// restart where sessions are in memory.

var tables = database.Tables{Name: "client", Version: 1, SQLite: sqliteSchema, Postgres: postgresSchema}

const sqliteSchema = `
CREATE TABLE client_schema (version INTEGER NOT NULL);

-- The assertions that were used, by the digest of who signed it and its jti.
CREATE TABLE client_assertion (
	digest  BLOB    NOT NULL PRIMARY KEY,
	expires INTEGER NOT NULL -- it would work until then
) WITHOUT ROWID;
CREATE INDEX client_assertion_age ON client_assertion (expires);
`

const postgresSchema = `
CREATE TABLE counterfoil.client_schema (version BIGINT NOT NULL);

-- The assertions that were used, by the digest of who signed it and its jti.
CREATE TABLE counterfoil.client_assertion (
	digest  BYTEA  NOT NULL PRIMARY KEY,
	expires BIGINT NOT NULL -- it would work until then
);
CREATE INDEX ON counterfoil.client_assertion (expires);
`

const (
	// It changes no row where the assertion was used and is not forgotten yet.
	sqlUse = `INSERT INTO client_assertion (digest, expires) VALUES ($1, $2)
		ON CONFLICT (digest) DO UPDATE SET expires = excluded.expires WHERE client_assertion.expires <= $3`
	sqlPurge = `DELETE FROM client_assertion WHERE expires <= $1`
)

// purgeEvery is after how many assertions the expired ones are removed.
const purgeEvery = 256

// useUp notes that an assertion was used, for as long as it would work.
//
// Errors: ErrDenied where it was used before.
func (r *Registry) useUp(ctx context.Context, c *jwt.Claims) error {
	digest := sha256.Sum256([]byte("counterfoil client assertion\x00" + c.Issuer + "\x00" + c.ID))
	until := c.Expiry.Time().Add(time.Minute) // by the database's clock, which servers may be behind
	err := r.db.Write(ctx, []string{"client assertion " + string(digest[:])}, func(tx *database.Tx) error {
		if !tx.Now.Before(until) {
			return database.ErrNoRow // it may have been used, and forgotten
		}
		return tx.Change(ctx, sqlUse, digest[:], database.Millis(until), database.Millis(tx.Now))
	})
	if errors.Is(err, database.ErrNoRow) {
		return ErrDenied
	}
	if err != nil {
		return fmt.Errorf("client: note that an assertion was used: %w", err)
	}
	if r.used.Add(1)%purgeEvery == 0 {
		if err := r.purge(ctx); err != nil { // this assertion counts, and is used up
			r.log.WarnContext(ctx, "used assertions of clients that have expired could not be removed", "error", err)
		}
	}
	return nil
}

// purge removes what would not work any more anyway.
func (r *Registry) purge(ctx context.Context) error {
	return r.db.Write(ctx, []string{"client assertions"}, func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, sqlPurge, database.Millis(tx.Now))
		return err
	})
}
