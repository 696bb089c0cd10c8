package stores

import (
	"context"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	fiber "github.com/gofiber/storage/redis/v3"
	goredis "github.com/redis/go-redis/v9"

	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store/redis"
)

// redisBackends are stores on one server that answers after its fsync.
func redisBackends(tb testing.TB) ([]contender, error) {
	server := servers.StartRedis(tb, nil)
	scripted, err := redis.Open(tb.Context(), server.URL(), redis.Config{})
	if err != nil {
		return nil, err
	}
	tb.Cleanup(closing(tb, scripted.Close))
	options, err := goredis.ParseURL(server.URL())
	if err != nil {
		return nil, err
	}
	options.PoolSize = manyClients
	client := goredis.NewClient(options)
	tb.Cleanup(closing(tb, client.Close))
	storage := fiber.NewFromConnection(client)
	byScs := goredisstore.New(client)
	return []contender{
		{ourName, report.Ours, ours{scripted}},
		{"scs", report.Peer, opaque{
			set: byScs.CommitCtx,
			get: func(ctx context.Context, token string) ([]byte, error) { return found(byScs.FindCtx(ctx, token)) },
			del: byScs.DeleteCtx,
		}},
		{"Fiber storage", report.Peer, opaque{
			set: func(ctx context.Context, token string, data []byte, expires time.Time) error {
				return storage.SetWithContext(ctx, token, data, time.Until(expires))
			},
			get: func(ctx context.Context, token string) ([]byte, error) {
				b, err := storage.GetWithContext(ctx, token)
				return found(b, b != nil, err)
			},
			del: storage.DeleteWithContext,
		}},
	}, nil
}
