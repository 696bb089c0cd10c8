package servers_test

import (
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/servers"
)

// Callers share a server that writes to the disk, and no keys.
func TestRedis(t *testing.T) {
	one, prefix := servers.Redis(t)
	two, other := servers.Redis(t)
	if one != two || prefix == other {
		t.Errorf("got %s with prefix %s, and %s with prefix %s", one, prefix, two, other)
	}
}

// What the tests of faults do with a server of their own.
func TestRedisFaults(t *testing.T) {
	s := servers.StartRedis(t, map[string]string{"maxclients": "77"})
	is := func(want string, command ...string) {
		t.Helper()
		if got := s.Do(command...); got != want {
			t.Fatalf("%v: got %q, want %q", command, got, want)
		}
	}
	is("maxclients\n77", "CONFIG", "GET", "maxclients")
	is("OK", "SET", "x", "one")
	s.Kill()
	s.Start()
	is("one", "GET", "x")
	s.Pause()
	s.Resume()
	is("one", "GET", "x")

	backup := s.Backup()
	is("OK", "SET", "x", "two")
	s.Restore(backup)
	is("one", "GET", "x")

	replica := s.StartReplica(nil)
	is("OK", "SET", "x", "three")
	is("1", "WAIT", "1", "1000")
	if info := replica.Do("INFO", "replication"); !strings.Contains(info, "role:slave") {
		t.Errorf("the replica says %s", info)
	}
}
