package redis_test

import (
	"os"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/redis"
	"github.com/counterfoil/counterfoil/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

func TestStore(t *testing.T) {
	storetest.RunRealTime(t, func(t *testing.T) store.Store {
		url, prefix := servers.Redis(t)
		return open(t, url, redis.Config{Prefix: prefix})
	})
}

// open opens a store for a test, which closes it in the end.
func open(t testing.TB, url string, config redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), url, config)
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

func TestDurable(t *testing.T) {
	url, _ := servers.Redis(t)
	storetest.RunDurable(t, func(t *testing.T, dir string) store.Store {
		return open(t, url, redis.Config{Prefix: "test-" + strings.Trim(dir, "/")[max(0, len(dir)-60):]})
	})
}
