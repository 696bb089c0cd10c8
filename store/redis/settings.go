package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"
)

// Settings are what the server says of itself.
type settings struct {
	info      map[string]string // of INFO
	config    map[string]string // of CONFIG GET; nil: it is not allowed
	inCluster bool              // the client speaks to a cluster
}

// settings asks the server that keeps the keys of this store.
func (s *Store) settings(ctx context.Context) (settings, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	b := s.client.B()
	answers := s.onOneConnection(ctx,
		b.Exists().Key(s.prefix+"meta").Build(), // finds the server in a cluster
		b.Info().Build(),
		b.ConfigGet().Parameter("appendfsync", "min-replicas-to-write").Build())
	info, err := answers[1].ToString()
	if err != nil {
		return settings{}, fmt.Errorf("INFO: %w", err)
	}
	found := settings{info: map[string]string{}, inCluster: s.client.Mode() == valkey.ClientModeCluster}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found.info[name] = value
		}
	}
	found.config, err = answers[2].AsStrMap()
	if _, refused := valkey.IsValkeyErr(err); err != nil && !refused {
		return settings{}, fmt.Errorf("CONFIG GET: %w", err)
	}
	return found, nil
}

// check refuses a server that can't keep sessions.
func (s settings) check() error {
	switch {
	case !s.atLeast(7, 0):
		return fmt.Errorf("the server is of version %s: 7.0 or later is needed", s.info["redis_version"])
	case s.info["role"] != "master":
		return errors.New("the server is a replica: give the address of the primary, or of Sentinels")
	case s.info["cluster_enabled"] == "1" && !s.inCluster:
		return errors.New("the server is part of a cluster: begin the URL with redis+cluster or rediss+cluster")
	case s.info["maxmemory_policy"] != "noeviction":
		return fmt.Errorf("maxmemory-policy is %q, so the server may evict what says that somebody is logged out: set it to noeviction", s.info["maxmemory_policy"])
	}
	return nil
}

func (s settings) atLeast(major, minor int) bool {
	var is [2]int
	if _, err := fmt.Sscanf(s.info["redis_version"], "%d.%d", &is[0], &is[1]); err != nil {
		return false
	}
	return is[0] > major || is[0] == major && is[1] >= minor
}

func (s settings) appends() bool { return s.info["aof_enabled"] == "1" }

// replicas returns how many are connected.
func (s settings) replicas() int {
	n, _ := strconv.Atoi(s.info["connected_slaves"]) // no number: none that could be counted on
	return n
}

// Waits are what a write waits for before it is acknowledged.
type waits struct {
	disk     bool // the fsync of the primary, where the answer does not come after it anyway
	replicas int
	aof      bool // the server knows WAITAOF
}

func (w waits) any() bool { return w.disk || w.replicas > 0 }

// waits decides by the settings and Config.Replicas.
func (s settings) waits(replicas int) waits {
	w := waits{replicas: max(replicas, 0), aof: s.atLeast(7, 2)}
	if replicas == 0 && w.aof {
		w.replicas = min(s.replicas(), 1)
	}
	w.disk = w.aof && s.appends() && (s.config["appendfsync"] != "always" || w.replicas > 0)
	return w
}

// warnings says what is at risk, and what to set.
func (s settings) warnings(w waits) (all []string) {
	fsync, known := s.config["appendfsync"]
	switch {
	case !s.appends():
		all = append(all, "appendonly is no: a crash or restart of the server brings back sessions that were ended: set appendonly yes and appendfsync always")
	case !known && !w.disk:
		all = append(all, "CONFIG GET is not allowed, so appendfsync could not be checked: if it is not always, a crash of the server brings back the sessions that were ended last")
	case known && fsync != "always" && w.disk:
		all = append(all, "appendfsync is "+fsync+": each write waits for the next fsync, up to a second: set it to always")
	case known && fsync != "always":
		all = append(all, "appendfsync is "+fsync+": a crash of the server brings back the sessions that were ended in the last second or more: set it to always")
	}
	switch {
	case s.replicas() > 0 && w.replicas == 0:
		all = append(all, "writes do not wait for the replicas: a failover brings back the sessions that were ended last: set Config.Replicas")
	case w.replicas > 0 && s.config["min-replicas-to-write"] == "0":
		all = append(all, "min-replicas-to-write is 0: a primary that was cut off goes on to take writes, which are then lost: set it to 1 or more")
	}
	return all
}
