package main

import (
	"net/netip"
	"testing"
)

// What a flag takes for a network matches the peers that it names.
func TestNetwork(t *testing.T) {
	for text, peer := range map[string]string{
		"10.0.0.1":             "10.0.0.1",
		" 10.0.0.0/8":          "10.1.2.3",
		"2001:db8::/32":        "2001:db8::1",
		"::ffff:10.0.0.1":      "10.0.0.1",
		"::ffff:10.0.0.0/104":  "10.1.2.3",
		"fe80::1%eth0":         "fe80::1",
		"::ffff:10.0.0.1%eth0": "10.0.0.1",
	} {
		var n network
		if err := n.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		} else if !netip.Prefix(n).Contains(netip.MustParseAddr(peer)) {
			t.Errorf("%q is %v, and %s is not in it", text, netip.Prefix(n), peer)
		}
	}
	for _, text := range []string{"", "10.0.0.999", "10.0.0.0/33", "fe80::%eth0/64", "proxy.example.com", "10.0.0.1, 10.0.0.2"} {
		var n network
		if err := n.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, netip.Prefix(n))
		}
	}
}
