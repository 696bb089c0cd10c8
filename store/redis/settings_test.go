package redis_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store/redis"
)

// tryOpen opens a store, closes it, and returns the error and what was logged.
func tryOpen(t *testing.T, url string, config redis.Config) (string, error) {
	t.Helper()
	var log bytes.Buffer
	config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s, err := redis.Open(t.Context(), url, config)
	if err == nil {
		err = s.Close()
	}
	return log.String(), err
}

// Open refuses a server that would forget who is logged out, and says what is
// at risk with others.
func TestSettings(t *testing.T) {
	s := servers.StartRedis(t, nil)
	waits := !strings.Contains(s.Do("INFO", "server"), "redis_version:7.0.") // it knows WAITAOF
	for _, c := range []struct {
		name, value, back string
		refused, warned   string
	}{
		{name: "timeout", value: "0", back: "0"},
		{name: "maxmemory-policy", value: "allkeys-lru", back: "noeviction", refused: "set it to noeviction"},
		{name: "maxmemory-policy", value: "volatile-ttl", back: "noeviction", refused: "set it to noeviction"},
		{name: "appendonly", value: "no", back: "yes", warned: "set appendonly yes"},
		{name: "appendfsync", value: "everysec", back: "always", warned: "set it to always"},
		{name: "appendfsync", value: "no", back: "always", warned: "set it to always"},
	} {
		if waits && c.name == "appendfsync" && c.value == "no" { // it syncs when it likes: no write is safe in time
			c.refused, c.warned = "did not write it to its disk in time", ""
		}
		s.Do("CONFIG", "SET", c.name, c.value)
		log, err := tryOpen(t, s.URL(), redis.Config{Timeout: 2 * time.Second})
		switch {
		case c.refused == "" && err != nil, c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s %s: error %v, want %q", c.name, c.value, err, c.refused)
		case c.warned == "" && c.refused == "" && log != "", !strings.Contains(log, c.warned):
			t.Errorf("%s %s: logged %q, want %q", c.name, c.value, log, c.warned)
		}
		s.Do("CONFIG", "SET", c.name, c.back)
	}

	replica := s.StartReplica(nil)
	if _, err := tryOpen(t, replica.URL(), redis.Config{}); err == nil || !strings.Contains(err.Error(), "give the address of the primary") {
		t.Errorf("a replica: error %v", err)
	}
	log, err := tryOpen(t, s.URL(), redis.Config{Replicas: -1})
	if err != nil || !strings.Contains(log, "set Config.Replicas") {
		t.Errorf("with a replica that nobody waits for: error %v, logged %q", err, log)
	}
	log, err = tryOpen(t, s.URL(), redis.Config{Replicas: 1})
	if err != nil || !strings.Contains(log, "min-replicas-to-write") {
		t.Errorf("with a replica: error %v, logged %q", err, log)
	}
}

// Where the settings can't be seen Open says so.
func TestSettingsHidden(t *testing.T) {
	s := servers.StartRedis(t, nil)
	url := restricted(t, s, "counterfoil")
	s.Do("ACL", "SETUSER", "counterfoil", "-config|get")
	log, err := tryOpen(t, url, redis.Config{})
	if strings.Contains(s.Do("INFO", "server"), "redis_version:7.0.") {
		if err != nil || !strings.Contains(log, "could not be checked") {
			t.Errorf("error %v, logged %q", err, log)
		}
	} else if err != nil || log != "" { // each write waits for the disk: there is nothing to warn of
		t.Errorf("error %v, logged %q", err, log)
	}
}

// A password stands in no error and in no log.
func TestPasswords(t *testing.T) {
	s := servers.StartRedis(t, nil)
	const secret = "s3cret-hunter2"
	for _, url := range []string{
		"redis://default:" + secret + "@" + s.Address(),
		"redis://default:" + secret + "@127.0.0.1:1",
		"redis://default:" + secret + "@127.0.0.1:port",
		"redis://default:" + secret + "%zz@127.0.0.1:1",
		"redis://default:" + secret + "@127.0.0.1:1/database",
		"redis://default:" + secret + "@a,b",
		"redis+sentinel://default:" + secret + "@127.0.0.1:1?sentinel_password=" + secret,
		"redis+cluster://default:" + secret + "@127.0.0.1:1,127.0.0.1:2",
		"reddis://default:" + secret + "@127.0.0.1",
		"default:" + secret + "@127.0.0.1",
		"redis://default:12/" + secret + "@127.0.0.1:1/0",
		"redis://default:12?" + secret + "@127.0.0.1:1/0",
		"redis://default:12#" + secret + "@127.0.0.1:1/0",
		"redis://default:12," + secret + "@127.0.0.1:1/x",
	} {
		log, err := tryOpen(t, url, redis.Config{})
		if err == nil {
			t.Errorf("%s: no error", url)
		} else if strings.Contains(err.Error()+log, secret) {
			t.Errorf("%s: error %v, logged %q", url, err, log)
		}
	}
}

// A prefix that would bring keys into another slot, or another store's keys, is
// none.
func TestPrefix(t *testing.T) {
	for _, prefix := range []string{"a}b", "{a}", "a b", "a*", strings.Repeat("x", 65)} {
		if _, err := redis.Open(context.Background(), "redis://127.0.0.1:1", redis.Config{Prefix: prefix}); err == nil || !strings.Contains(err.Error(), "prefix") {
			t.Errorf("%q: error %v", prefix, err)
		}
	}
}
