package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// listen listens where --listen says.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, usagef("--listen %s: %w: choose another port, or 0 for any that is free", address, err)
	case err != nil:
		return nil, usagef("--listen %s: %w", address, err)
	}
	return listener, nil
}

// overPlainHTTP returns the host that a URL reaches by plain http, if that is not
// this machine. What is no URL is refused later.
func overPlainHTTP(text string) (host string, yes bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" {
		return "", false
	}
	host = strings.ToLower(u.Hostname())
	addr, err := netip.ParseAddr(host)
	return host, host != "localhost" && (err != nil || !addr.IsLoopback())
}

func plainHTTPError(flag string) error {
	return fmt.Errorf("--%s is plain http: use https, or allow it with --insecure-http", flag)
}

// An address says how browsers reach the server.
type address struct {
	public   string // for everybody: the origin of the site
	open     string // on this machine
	port     int
	loopback bool // the server can be reached from this machine alone
}

// alsoOurs returns the other origins under which a browser on this machine may
// have opened the server's own pages.
func (a address) alsoOurs() []string {
	if !a.loopback {
		return nil
	}
	var others []string
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if o := origin(host, a.port); o != a.public {
			others = append(others, o)
		}
	}
	return others
}

// address derives it from the flags and from where the server listens by now.
func (c *serveCmd) address(at *net.TCPAddr) (address, error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return address{}, usagef("--listen %q: write host:port", c.Listen)
	}
	a := address{public: c.PublicURL, port: at.Port, loopback: at.IP.IsLoopback()}
	a.open = origin(host, at.Port)
	if a.loopback || at.IP.IsUnspecified() {
		// Browsers take Secure cookies and passkeys there, but not on 127.0.0.1.
		a.open = origin("localhost", at.Port)
	}
	switch {
	case a.public != "":
	case a.loopback, c.InsecureHTTP && !at.IP.IsUnspecified():
		a.public = a.open
	default:
		return address{}, usagef("--listen %s: plain http is for this machine alone: say how browsers get here by --public-url https://…", c.Listen)
	}
	return a, nil
}

// origin writes an origin as browsers do: without the port of the scheme.
func origin(host string, port int) string {
	if port == 80 {
		return "http://" + bracketed(host)
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func bracketed(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[" + host + "]"
	}
	return host
}
