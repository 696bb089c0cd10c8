package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address of the client; the zero Addr if it is
// unknown. X-Forwarded-For is read from the right: each trusted proxy vouches
// for the entry before its own, and the first that is no trusted proxy is the
// client. What stands further left is hearsay (ASVS 4.1.3).
func (s *Server) clientAddress(r *http.Request) netip.Addr {
	connection, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := connection.Addr().Unmap().WithZone("") // networks have none
	if !s.isProxy(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		client = addr.Unmap().WithZone("")
		if !s.isProxy(client) {
			break
		}
	}
	return client
}

// parseHop reads an address; some proxies write the port behind it, or brackets
// around it.
func parseHop(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr(), true
	}
	if inside, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inside, "]") {
		text = strings.TrimSuffix(inside, "]")
	}
	addr, err := netip.ParseAddr(text)
	return addr, err == nil
}

func (s *Server) isProxy(addr netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}
