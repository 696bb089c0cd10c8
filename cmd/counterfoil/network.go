package main

import (
	"fmt"
	"net/netip"
)

// A network is a flag's value: addresses in CIDR notation, or a single one.
type network netip.Prefix

// UnmarshalText implements [encoding.TextUnmarshaler], for kong.
func (n *network) UnmarshalText(text []byte) error {
	prefix, err := netip.ParsePrefix(string(text))
	if addr, addrErr := netip.ParseAddr(string(text)); addrErr == nil {
		prefix, err = addr.Prefix(addr.BitLen())
	}
	if err != nil {
		return fmt.Errorf("%q is no network: write one such as 10.0.0.0/8, or an address", text)
	}
	*n = network(prefix)
	return nil
}

func prefixes(networks []network) (all []netip.Prefix) {
	for _, n := range networks {
		all = append(all, netip.Prefix(n))
	}
	return all
}
