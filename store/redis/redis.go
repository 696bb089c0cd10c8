// Package redis keeps sessions in Redis 7.0 or later, or in Valkey, for many
// nodes.
//
//	sessions, err := redis.Open(ctx, "redis://user:password@localhost:6379/0", redis.Config{})
//	…
//	defer sessions.Close()
//	manager, err := counterfoil.New(counterfoil.Config{Store: sessions})
//
// # What is durable
//
// With appendonly yes and appendfsync always, what was acknowledged survives a
// crash of the server: it answers after the fsync. [Open] warns where these
// settings are others, and says what is at risk. From Redis 7.2 on, and in
// Valkey, each write waits for the fsync by itself (WAITAOF), which takes up to
// a second with appendfsync everysec.
//
// A failover is best effort. Replication is asynchronous: a write waits for
// [Config.Replicas] replicas before it is acknowledged, and returns
// store.ErrIndeterminate where they don't have it in time; but nothing makes
// whoever promotes a replica take one of these. Sentinel and Cluster prefer the
// one with the most data, and then nothing is lost. Where the wrong one is
// promoted the last logouts are undone: nodes that follow the log see that the
// primary is another one, forget the sessions that they remember, and bring back
// the ends that they know. Who can't live with that
// takes store/postgres with synchronous replication, or store/sqlite.
//
// Eviction would undo logouts too, so Open refuses a server whose
// maxmemory-policy is not noeviction. When its memory is full, Create,
// SaveValues and SwapDocument return store.ErrFull, while sessions can still be
// ended. Open looks at the one server that it finds: give all that may become
// the primary the same settings.
//
// FLUSHALL ends every session, but is no logout: nodes learn of it by their next
// beat only.
//
// # What it needs
//
// All keys begin with {prefix}: and lie in one slot of a cluster, that is, on
// one of its servers; while the cluster moves that slot the store does not
// answer. A session takes about 1.7 kB.
//
// Every write is one script, and what concerns many sessions is done in parts,
// but for EndUser: the server does nothing else while it ends all of a user's
// sessions, which takes it 20 to 60 µs for each. Limit their number.
//
// A server that allows no more than needed has a user like this, with the prefix
// in place of counterfoil:
//
//	ACL SETUSER counterfoil on >password resetchannels resetkeys
//	  ~{counterfoil}:* &{counterfoil}:*
//	  +eval +evalsha +eval_ro +evalsha_ro +time +hmget +hget +hset +hdel +hincrby
//	  +hgetall +hlen +xadd +xrange +xtrim +zadd +zrem +zrange +zcard +exists +del
//	  +unlink +rename +rpush +lindex +lpop +pexpireat +pexpiretime +publish
//	  +subscribe +unsubscribe +wait +waitaof
//	  +ping +hello +auth +info +config|get
//
// Redis 7.0 has no waitaof: leave it out there. With Sentinels add +role, in a
// cluster +cluster|slots and +cluster|shards.
package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/counterfoil/counterfoil/store"
)

// A Config tunes a [Store]. The zero Config works.
type Config struct {
	// Prefix sets this store apart from whatever else the server keeps: keys
	// begin with {Prefix}: in braces. At most 64 letters, digits and -_.:/ signs.
	// Empty: "counterfoil".
	Prefix string

	// Replicas is how many replicas must have a write before it is
	// acknowledged; where fewer have it in time the write returns
	// store.ErrIndeterminate. From Redis 7.2 on, and in Valkey, they must have
	// it on disk: they need appendonly yes. Zero: one, if the server is of such
	// a version and has a replica when the store is opened, else none.
	// Negative: none.
	Replicas int

	// Timeout is how long to wait for an answer of the server. Replicas get
	// half of it. Zero: 5 seconds.
	Timeout time.Duration

	// TLS is used with URLs that begin with rediss. Nil: the certificates of
	// the system, TLS 1.2 or later.
	TLS *tls.Config

	// Logger gets a warning for each setting of the server that puts something
	// at risk. Nil: slog.Default().
	Logger *slog.Logger
}

// A Store keeps sessions in Redis. It is safe for concurrent use and implements
// [store.Store].
type Store struct {
	client  valkey.Client
	prefix  string // of all keys: {Prefix}:
	timeout time.Duration
	waits   waits
	clock   clock
	closed  atomic.Bool
	done    chan struct{} // closed with the store

	mu        sync.Mutex
	histories map[store.NodeID]string // what the node found when it beat last
}

var _ store.Store = (*Store)(nil)

var errClosed = errors.New("redis: the store is closed")

// Open connects to a server, and looks whether it is fit to keep sessions. The
// URL is one of
//
//	redis://user:password@host:port/db
//	redis+sentinel://user:password@host:port,host:port/primary?db=0
//	redis+cluster://user:password@host:port,host:port
//	redis+unix://user:password@/path/to/socket?db=0
//
// with rediss in place of redis for TLS, and valkey and valkeys as other names
// for redis and rediss. Sentinels with a password of their own have it in the
// parameters sentinel_user and sentinel_password.
//
// It refuses a server before 7.0, a replica, and one that evicts keys. The
// caller closes the store when nothing uses it any more.
func Open(ctx context.Context, url string, config Config) (*Store, error) {
	config.Prefix = cmp.Or(config.Prefix, "counterfoil")
	config.Timeout = cmp.Or(config.Timeout, 5*time.Second)
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if err := checkPrefix(config.Prefix); err != nil {
		return nil, err
	}
	options, err := parse(url, config)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, options, config)
	if err != nil {
		return nil, fmt.Errorf("redis: open %s: %w", strings.Join(options.InitAddress, ","), err)
	}
	return s, nil
}

func checkPrefix(prefix string) error {
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:/", r)
	}
	if len(prefix) > 64 || strings.TrimFunc(prefix, valid) != "" {
		return fmt.Errorf("redis: the prefix %q is not one: take at most 64 letters, digits and -_.:/ signs", prefix)
	}
	return nil
}

func open(ctx context.Context, options valkey.ClientOption, config Config) (_ *Store, err error) {
	client, err := connect(ctx, options)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client:    client,
		prefix:    "{" + config.Prefix + "}:",
		timeout:   config.Timeout,
		done:      make(chan struct{}),
		histories: map[store.NodeID]string{},
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	settings, err := s.settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := settings.check(); err != nil {
		return nil, err
	}
	s.waits = settings.waits(config.Replicas)
	for _, warning := range settings.warnings(s.waits) {
		config.Logger.WarnContext(ctx, "redis: "+warning, "server", strings.Join(options.InitAddress, ","))
	}
	// A write shows now what would fail at the first login.
	if _, err := s.Generation(ctx, ""); err != nil {
		return nil, fmt.Errorf("a first write: %w", err)
	}
	return s, nil
}

// connect makes the client. It does not know ctx, but ends by itself when the
// time for an answer is over.
func connect(ctx context.Context, options valkey.ClientOption) (valkey.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		client valkey.Client
		err    error
	}
	connected := make(chan result, 1)
	go func() {
		client, err := valkey.NewClient(options)
		if err != nil && client != nil {
			client.Close()
		}
		connected <- result{client, err}
	}()
	select {
	case r := <-connected:
		return r.client, r.err
	case <-ctx.Done():
		go func() {
			if r := <-connected; r.err == nil {
				r.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// InProcess implements [store.Store].
func (s *Store) InProcess() bool { return false }

// Close waits for the answers to what was asked, for at most a second where the
// server is silent, and closes the connections.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		close(s.done)
		s.client.Close()
	}
	return nil
}
