package redis

import (
	"slices"
	"testing"
)

// The forms of a URL that Open's comment shows.
func TestParse(t *testing.T) {
	for _, c := range []struct {
		url            string
		addresses      []string
		user, password string
		database       int
		primary        string
		tls, single    bool
	}{
		{url: "redis://localhost", addresses: []string{"localhost:6379"}, single: true},
		{url: "redis://:pw@localhost:7000/3", addresses: []string{"localhost:7000"}, password: "pw", database: 3, single: true},
		{url: "rediss://user:p%40w%2F@[::1]:7000/?db=2", addresses: []string{"[::1]:7000"}, user: "user", password: "p@w/", database: 2, tls: true, single: true},
		{url: "valkeys://[::1]", addresses: []string{"[::1]:6379"}, tls: true, single: true},
		{url: "redis+sentinel://user:pw@a:1,b,[::1]:3/main?db=4", addresses: []string{"a:1", "b:6379", "[::1]:3"}, user: "user", password: "pw", database: 4, primary: "main"},
		{url: "rediss+cluster://user:pw@a:1,b:2", addresses: []string{"a:1", "b:2"}, user: "user", password: "pw", tls: true},
		{url: "valkey+unix://user:pw@/run/valkey.sock?db=1", addresses: []string{"/run/valkey.sock"}, user: "user", password: "pw", database: 1, single: true},
	} {
		o, err := parse(c.url, Config{})
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if !slices.Equal(o.InitAddress, c.addresses) || o.Username != c.user || o.Password != c.password || o.SelectDB != c.database ||
			o.Sentinel.MasterSet != c.primary || (o.TLSConfig != nil) != c.tls || o.ForceSingleClient != c.single {
			t.Errorf("%s: got %+v", c.url, o)
		}
		if !o.DisableRetry {
			t.Errorf("%s: a write that got no answer would be sent again", c.url)
		}
	}
	for _, url := range []string{
		"", "localhost:6379", "http://localhost", "redis+http://localhost", "redis://a,b", "redis://localhost/x", "redis://localhost/-1",
		"redis+sentinel://a", "redis://a:b:c", "redis+unix://", "rediss+unix:///run/redis.sock",
	} {
		if o, err := parse(url, Config{}); err == nil {
			t.Errorf("%s: got %v", url, o.InitAddress)
		}
	}
}
