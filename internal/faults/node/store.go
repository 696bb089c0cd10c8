package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/postgres"
	"github.com/counterfoil/counterfoil/store/redis"
)

// openStore opens a store by its URL. It waits for an answer no longer than
// anybody here waits for a node's.
func openStore(ctx context.Context, url string) (store.Store, error) {
	const timeout = 2 * time.Second
	scheme, _, _ := strings.Cut(url, ":")
	switch scheme {
	case "postgres":
		return postgres.Open(ctx, url, postgres.Config{Timeout: timeout})
	case "redis":
		return redis.Open(ctx, url, redis.Config{Timeout: timeout})
	}
	return nil, fmt.Errorf("there is no store for a URL that begins with %q", scheme)
}
