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

// The same contract behind PgBouncer with transaction pooling: statements of one
// connection run on many of the server's, which are not ours between them.
func TestContractBehindPgBouncer(t *testing.T) {
	direct := servers.Postgres(t)
	url := servers.PgBouncer(t, direct, 20)
	storetest.RunRealTime(t, func(t *testing.T) store.Store {
		return openTest(t, url, postgres.Config{Schema: newSchema(), ListenURL: direct})
	})
}

// What was acknowledged survives a crash of the server.
func TestDurable(t *testing.T) {
	server := servers.StartPostgres(t, nil)
	url := server.Database()
	schemas := map[string]string{} // by directory
	storetest.RunDurableRealTime(t, func(t *testing.T, dir string) store.Store {
		if schemas[dir] == "" {
			schemas[dir] = newSchema()
		} else {
			server.Kill()
			server.Start()
		}
		return openTest(t, url, postgres.Config{Schema: schemas[dir]})
	})
}
