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
	o := baseOptions(config)
	hosts, one := cutHosts(raw)
	u, err := url.Parse(one)
	if err != nil {
		return o, errURL
	}
	// Where the password has a / or a ? that is not encoded, its end stands here.
	if strings.Contains(u.EscapedPath()+u.RawQuery+u.EscapedFragment(), "@") {
		return o, errURL
	}
	protocol, topology, _ := strings.Cut(u.Scheme, "+")
	switch protocol {
	case "redis", "valkey":
	case "rediss", "valkeys":
		o.TLSConfig = cmp.Or(config.TLS, &tls.Config{MinVersion: tls.VersionTLS12}).Clone()
	default:
		return o, fmt.Errorf("redis: unknown scheme %q (did you mean redis or rediss?)", u.Scheme)
	}
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	o.InitAddress = addresses(hosts)
	place, ok := topologies[topology]
	if !ok {
		return o, fmt.Errorf("redis: unknown scheme %q (did you mean %s+sentinel, %[2]s+cluster or %[2]s+unix?)", u.Scheme, protocol)
	}
	database, err := place(&o, u)
	if err != nil {
		return o, err
	}
	if o.SelectDB, err = strconv.Atoi(cmp.Or(database, "0")); err != nil || o.SelectDB < 0 {
		return o, fmt.Errorf("redis: %q is not the number of a database", database)
	}
	return o, nil
}

func baseOptions(config Config) valkey.ClientOption {
	return valkey.ClientOption{
		// A write that got no answer may have happened: whoever called decides.
		DisableRetry:        true,
		DisableCache:        true,
		AlwaysPipelining:    true, // so that a connection that broke is seen before it is used
		ConnWriteTimeout:    config.Timeout,
		Dialer:              net.Dialer{Timeout: config.Timeout, KeepAlive: time.Second},
		ClientName:          "counterfoil",
		ClientSetInfo:       valkey.DisableClientSetInfo,
		BlockingPoolSize:    256, // the writes that wait at the same time, and in a cluster all calls; more take turns
		BlockingPoolCleanup: time.Minute,
		BlockingPoolMinSize: 1,
		ReadBufferEachConn:  1 << 16,
		WriteBufferEachConn: 1 << 16,
	}
}

// topologies take from a URL what is special to each, and return the database.
var topologies = map[string]func(*valkey.ClientOption, *url.URL) (database string, _ error){
	"":         oneServer,
	"unix":     socket,
	"sentinel": sentinels,
	"cluster":  cluster,
}

func oneServer(o *valkey.ClientOption, u *url.URL) (string, error) {
	if len(o.InitAddress) != 1 {
		return "", errors.New("redis: a URL with several servers begins with redis+sentinel or redis+cluster")
	}
	o.ForceSingleClient = true
	return cmp.Or(strings.TrimPrefix(u.Path, "/"), u.Query().Get("db")), nil
}

func socket(o *valkey.ClientOption, u *url.URL) (string, error) {
	if u.Path == "" {
		return "", errors.New("redis: the URL of a socket names it in its path, as in redis+unix:///run/redis.sock")
	}
	if o.TLSConfig != nil {
		return "", errors.New("redis: a socket has no TLS: begin the URL with redis+unix")
	}
	o.ForceSingleClient = true
	o.InitAddress = []string{u.Path}
	o.DialCtxFn = func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return d.DialContext(ctx, "unix", path)
	}
	return u.Query().Get("db"), nil
}

func sentinels(o *valkey.ClientOption, u *url.URL) (string, error) {
	primary := strings.TrimPrefix(u.Path, "/")
	if primary == "" {
		return "", errors.New("redis: the URL of a Sentinel names the primary in its path, as in redis+sentinel://host:26379/primary")
	}
	o.Sentinel = valkey.SentinelOption{
		MasterSet: primary,
		TLSConfig: o.TLSConfig,
		Dialer:    o.Dialer,
		Username:  u.Query().Get("sentinel_user"),
		Password:  u.Query().Get("sentinel_password"),
		// What a Sentinel says of a new primary may get lost.
		TopologyRefreshInterval: 5 * time.Second,
	}
	return u.Query().Get("db"), nil
}

func cluster(o *valkey.ClientOption, _ *url.URL) (string, error) {
	o.ShuffleInit = true
	o.ClusterOption.ShardsRefreshInterval = 5 * time.Second
	return "", nil // a cluster has one database
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
