package main

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// Plain http is for this machine alone, and there a person may have typed any of
// its names.
func TestAddress(t *testing.T) {
	loopback, any := net.IPv4(127, 0, 0, 1), net.IPv4zero
	for _, c := range []struct {
		why           string
		listen, given string
		ip            net.IP
		public, open  string
		others        []string
	}{
		{"the default", "localhost:8080", "", loopback, "http://localhost:8080", "http://localhost:8080", []string{"http://127.0.0.1:8080", "http://[::1]:8080"}},
		{"by number it is opened by name", "127.0.0.1:8080", "", loopback, "http://localhost:8080", "http://localhost:8080", []string{"http://127.0.0.1:8080", "http://[::1]:8080"}},
		{"behind a proxy on this machine", "localhost:8080", "https://app.example", loopback, "https://app.example", "http://localhost:8080",
			[]string{"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"}},
		{"beyond this machine nothing but the public URL", ":8080", "https://app.example", any, "https://app.example", "http://localhost:8080", nil},
		{"plain http beyond this machine is refused", ":8080", "", any, "", "", nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			serve := serveCmd{Listen: c.listen, PublicURL: c.given}
			a, err := serve.address(&net.TCPAddr{IP: c.ip, Port: 8080})
			if refused := err != nil; refused != (c.public == "") {
				t.Fatalf("error %v", err)
			}
			if a.public != c.public || a.open != c.open || !slices.Equal(a.alsoOurs(), c.others) {
				t.Errorf("public %q, open %q, others %q", a.public, a.open, a.alsoOurs())
			}
		})
	}
}

// The port is in use: what to do is said.
func TestListenWhereSomebodyIs(t *testing.T) {
	first, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = listen(first.Addr().String())
	if usage := (usageError{}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("error %v", err)
	}
}

// Names below localhost are this machine's for a browser, and for a resolver
// perhaps somebody else's.
func TestPlainHTTP(t *testing.T) {
	for _, c := range []struct {
		url             string
		public, receive bool // allowed as --public-url, as --logout-url
	}{
		{"https://example.com", true, true},
		{"http://example.com", false, false},
		{"http://LOCALHOST:8080", true, true},
		{"http://[::1]:8080", true, true},
		{"http://app.localhost:8080", true, false},
	} {
		serve := serveCmd{PublicURL: c.url, Bound: time.Second, TokenLife: time.Minute, Idle: time.Minute, Lifetime: time.Minute}
		if err := serve.Validate(); (err == nil) != c.public {
			t.Errorf("--public-url %s: %v", c.url, err)
		}
		add := clientAddCmd{LogoutURL: c.url}
		if err := add.Validate(); (err == nil) != c.receive {
			t.Errorf("--logout-url %s: %v", c.url, err)
		}
	}
}
