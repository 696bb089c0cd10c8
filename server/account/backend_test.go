package account

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/server/database"
)

// onEach runs a test on each kind of database. It gets the path of a file that
// is not there yet, or the URL of an empty PostgreSQL database.
func onEach(t *testing.T, test func(t *testing.T, where string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "counterfoil.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, servers.Postgres(t)) })
}

// inTime is onEach with the clock in the test's hand.
func inTime(t *testing.T, test func(t *testing.T, where string)) {
	t.Helper()
	onEach(t, func(t *testing.T, where string) {
		synctest.Test(t, func(t *testing.T) { test(t, where) })
	})
}

func isURL(where string) bool { return strings.HasPrefix(where, "postgres://") }

// openWith opens accounts on any kind of database. They count by the clock of
// this process, which a test may hold in its hand.
func openWith(ctx context.Context, where string, c Config) (*Accounts, error) {
	if !isURL(where) {
		return Open(ctx, where, c)
	}
	db, err := database.OpenPostgres(where)
	if err != nil {
		return nil, err
	}
	db.CountByThisProcess()
	return newAccounts(ctx, db, c)
}
