package main

import (
	"fmt"
	"net/netip"
	"strings"
)

// A network is a flag's value: addresses in CIDR notation, or a single one.
type network netip.Prefix

// UnmarshalText implements [encoding.TextUnmarshaler], for kong.
func (n *network) UnmarshalText(text []byte) error {
	prefix, err := parseNetwork(strings.TrimSpace(string(text))) // there may be a space after the comma
	if err != nil {
		return fmt.Errorf("%q is no network: write one such as 10.0.0.0/8, or an address", text)
	}
	*n = network(prefix)
	return nil
}

// parseNetwork reads a network, or an address for itself. IPv4 within IPv6 is IPv4,
// and a zone does not count: so are the addresses that it is compared with.
func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		addr = addr.Unmap().WithZone("")
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	const within = 128 - 32 // bits before the IPv4
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= within {
		return netip.PrefixFrom(addr.Unmap(), prefix.Bits()-within), nil
	}
	return prefix, err
}

func prefixes(networks []network) (all []netip.Prefix) {
	for _, n := range networks {
		all = append(all, netip.Prefix(n))
	}
	return all
}
