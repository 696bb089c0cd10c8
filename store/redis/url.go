package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

// errURL does not quote the URL, nor what package url says of it: both may hold
// the password.
var errURL = errors.New("redis: the URL is not one: want redis://user:password@host:port/0, with anything but letters and digits of the password percent-encoded")

// parse makes the client's options of a URL.
func parse(raw string, config Config) (valkey.ClientOption, error) {
	options := valkey.ClientOption{
		// A write that got no answer may have happened: whoever called decides.
		DisableRetry:        true,
		DisableCache:        true,
		AlwaysPipelining:    true, // so that a connection that broke is seen before it is used
		ConnWriteTimeout:    config.Timeout,
		Dialer:              net.Dialer{Timeout: config.Timeout, KeepAlive: time.Second},
		ClientName:          "counterfoil",
		ClientSetInfo:       valkey.DisableClientSetInfo,
		BlockingPoolCleanup: time.Minute,
		BlockingPoolMinSize: 1,
		ReadBufferEachConn:  1 << 16,
		WriteBufferEachConn: 1 << 16,
	}
	hosts, one := cutHosts(raw)
	u, err := url.Parse(one)
	if err != nil {
		return options, errURL
	}
	protocol, how, _ := strings.Cut(u.Scheme, "+")
	switch protocol {
	case "redis", "valkey":
	case "rediss", "valkeys":
		options.TLSConfig = cmp.Or(config.TLS, &tls.Config{MinVersion: tls.VersionTLS12}).Clone()
	default:
		return options, fmt.Errorf("redis: unknown scheme %q (did you mean redis or rediss?)", u.Scheme)
	}
	if u.User != nil {
		options.Username = u.User.Username()
		options.Password, _ = u.User.Password()
	}
	options.InitAddress = addresses(hosts)
	database := u.Query().Get("db")
	path := strings.TrimPrefix(u.Path, "/")
	switch how {
	case "":
		if len(options.InitAddress) != 1 {
			return options, errors.New("redis: a URL with several servers begins with redis+sentinel or redis+cluster")
		}
		options.ForceSingleClient = true
		database = cmp.Or(path, database)
	case "sentinel":
		if path == "" {
			return options, errors.New("redis: the URL of a Sentinel names the primary in its path, as in redis+sentinel://host:26379/primary")
		}
		options.Sentinel = valkey.SentinelOption{
			MasterSet: path,
			TLSConfig: options.TLSConfig,
			Dialer:    options.Dialer,
			Username:  u.Query().Get("sentinel_user"),
			Password:  u.Query().Get("sentinel_password"),
			// It may miss that the primary has changed.
			TopologyRefreshInterval: 5 * time.Second,
		}
	case "cluster":
		options.ShuffleInit = true
		options.ClusterOption.ShardsRefreshInterval = 5 * time.Second
	case "unix":
		if u.Path == "" {
			return options, errors.New("redis: the URL of a socket names it in its path, as in redis+unix:///run/redis.sock")
		}
		options.ForceSingleClient = true
		options.InitAddress = []string{u.Path}
		options.DialCtxFn = func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}
	default:
		return options, fmt.Errorf("redis: unknown scheme %q (did you mean %s+sentinel, %[2]s+cluster or %[2]s+unix?)", u.Scheme, protocol)
	}
	if options.SelectDB, err = strconv.Atoi(cmp.Or(database, "0")); err != nil || options.SelectDB < 0 {
		return options, fmt.Errorf("redis: %q is not the number of a database", database)
	}
	return options, nil
}

// cutHosts returns the part of a URL that names the servers, and the URL with
// the first of them only, as package url wants it.
func cutHosts(raw string) (hosts, one string) {
	start := strings.Index(raw, "://") + len("://")
	if start < len("://") {
		return "", raw
	}
	end := len(raw)
	if i := strings.IndexAny(raw[start:], "/?#"); i >= 0 {
		end = start + i
	}
	start += strings.LastIndex(raw[start:end], "@") + 1
	hosts = raw[start:end]
	first, _, _ := strings.Cut(hosts, ",")
	return hosts, raw[:start] + first + raw[end:]
}

// addresses adds the port where there is none.
func addresses(hosts string) []string {
	var all []string
	for host := range strings.SplitSeq(hosts, ",") {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = strings.Trim(host, "[]"), ""
		}
		all = append(all, net.JoinHostPort(cmp.Or(name, "localhost"), cmp.Or(port, "6379")))
	}
	return all
}
