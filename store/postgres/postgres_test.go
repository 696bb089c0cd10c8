package postgres_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/postgres"
	"github.com/counterfoil/counterfoil/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

func openTest(t testing.TB, url string, config postgres.Config) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newSchema names a schema that nobody has.
func newSchema() string { return "test_" + strings.ToLower(rand.Text()) }

func TestContract(t *testing.T) {
	url := servers.Postgres(t)
	storetest.RunRealTime(t, func(t *testing.T) store.Store {
		return openTest(t, url, postgres.Config{Schema: newSchema()})
	})
}
