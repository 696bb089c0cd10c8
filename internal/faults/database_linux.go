package faults

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/servers"
)

// A Database is the server of a store, for the nemeses that break it. Its
// methods end the test where they fail: call them from the test's goroutine.
type Database struct {
	Name, URL     string
	Version       string
	Kill, Start   func()
	Pause, Resume func()
	Backup        func() servers.Backup
	Restore       func(servers.Backup)
	Flush         func() // empties it; nil: it has no such command
}

// Databases are the stores that are tried.
var Databases = []struct {
	Name string
	Open func(testing.TB) Database
}{
	{"PostgreSQL", openPostgres},
	{"Redis", openRedis},
}

// openPostgres starts a server that has synchronous commits, as it does by
// default.
func openPostgres(tb testing.TB) Database {
	s := servers.StartPostgres(tb, nil)
	url := s.Database()
	return Database{
		Name: "PostgreSQL", URL: url, Version: postgresVersion(tb, url),
		Kill: s.Kill, Start: s.Start, Pause: s.Pause, Resume: s.Resume, Backup: s.Backup, Restore: s.Restore,
	}
}

func postgresVersion(tb testing.TB, url string) (version string) {
	c, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatalf("faults: %v", err)
	}
	defer c.Close(tb.Context())
	if err := c.QueryRow(tb.Context(), `SHOW server_version`).Scan(&version); err != nil {
		tb.Fatalf("faults: %v", err)
	}
	return version
}

func redisVersion(info string) string {
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			return strings.TrimSpace(version)
		}
	}
	return "of an unknown version"
}

// openRedis starts a server that has a write on the disk before it answers.
func openRedis(tb testing.TB) Database {
	s := servers.StartRedis(tb, nil)
	return Database{
		Name: "Redis", URL: s.URL(), Version: redisVersion(s.Do("INFO", "server")),
		Kill: s.Kill, Start: s.Start, Pause: s.Pause, Resume: s.Resume, Backup: s.Backup, Restore: s.Restore,
		Flush: func() { s.Do("FLUSHALL") },
	}
}
