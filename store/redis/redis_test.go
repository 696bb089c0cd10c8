package redis_test

import (
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/redis"
	"github.com/counterfoil/counterfoil/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// The contract holds for a user who may do nothing but what the package's
// comment allows him.
func TestStore(t *testing.T) {
	s := servers.StartRedis(t, nil)
	url := restricted(t, s, "test-*")
	storetest.RunRealTime(t, func(t *testing.T) store.Store {
		return open(t, url, redis.Config{Prefix: "test-" + rand.Text(), Timeout: 30 * time.Second}) // all at once, on a slow machine
	})
}

func TestDurable(t *testing.T) {
	url, prefix := servers.Redis(t)
	storetest.RunDurable(t, func(t *testing.T, dir string) store.Store {
		name := strings.ReplaceAll(dir[max(0, len(dir)-30):], "/", "-")
		return open(t, url, redis.Config{Prefix: prefix + name})
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

// restricted makes a user as the package's comment shows it, for keys with the
// prefix and with some commands more, and returns the URL for him.
func restricted(t *testing.T, s *servers.RedisServer, prefix string, more ...string) string {
	t.Helper()
	source, err := os.ReadFile("redis.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "ACL SETUSER ")
	rule, _, found := strings.Cut(rest, "//\n")
	if !found {
		t.Fatal("the package's comment has no rule of ACL SETUSER")
	}
	rule = strings.ReplaceAll(rule, "//", "")
	rule = strings.ReplaceAll(rule, "{counterfoil}", "{"+prefix+"}")
	if strings.Contains(s.Do("INFO", "server"), "redis_version:7.0.") {
		rule = strings.ReplaceAll(rule, "+waitaof", "")
	}
	s.Do(slices.Concat([]string{"ACL", "SETUSER"}, strings.Fields(rule), more)...)
	return "redis://counterfoil:password@" + s.Address()
}

// login is the creation of an ordinary session.
func login(user string) store.Creation {
	return store.Creation{
		Session:  store.Session{ID: store.NewSID(time.Now()), User: user, Name: "Name of " + user, Idle: time.Hour},
		Lifetime: 24 * time.Hour,
		Retain:   time.Hour,
	}
}

func create(t testing.TB, s *redis.Store, user string) store.SID {
	t.Helper()
	session, err := s.Create(t.Context(), login(user))
	if err != nil {
		t.Fatal(err)
	}
	return session.ID
}

func end(t testing.TB, s *redis.Store, id store.SID) store.Cursor {
	t.Helper()
	ended, err := s.End(t.Context(), id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ended.Head
}

// finds checks what Find says: nil or an error of the contract.
func finds(t testing.TB, s *redis.Store, id store.SID, want error) {
	t.Helper()
	if _, err := s.Find(t.Context(), id); !errors.Is(err, want) {
		t.Fatalf("Find: error %v, want %v", err, want)
	}
}

// settle asks until the store has found its server again.
func settle(t testing.TB, s *redis.Store) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := s.Generation(t.Context(), "")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
