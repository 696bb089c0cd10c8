package counterfoil_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		why    string
		config counterfoil.Config
		want   string
	}{
		{"plain http would show every session", counterfoil.Config{PublicURL: "http://app.example.com"}, "use https"},
		{"a name that ends like localhost is not this machine", counterfoil.Config{PublicURL: "http://evil-localhost"}, "use https"},
		{"an address that begins like loopback is not", counterfoil.Config{PublicURL: "http://127.0.0.1.evil.example"}, "use https"},
		{"a secret of zeros is one that was never filled", counterfoil.Config{Secret: new([32]byte)}, "Secret"},
		{"a path is no origin", counterfoil.Config{PublicURL: "https://app.example.com/app"}, "scheme and host"},
		{"a password does not belong there", counterfoil.Config{PublicURL: "https://a:b@app.example.com"}, "scheme and host"},
		{"an origin has no slash", counterfoil.Config{Origins: []string{"https://a.example/"}}, "scheme and host"},
		{"an origin has no default port", counterfoil.Config{Origins: []string{"https://a.example:443"}}, "scheme and host"},
		{"a host without a scheme", counterfoil.Config{PublicURL: "127.0.0.1:8080"}, "scheme and host"},
		{"a port alone", counterfoil.Config{PublicURL: ":8080"}, "scheme and host"},
		{"browsers send a host in ASCII, so this would never be theirs", counterfoil.Config{PublicURL: "https://bücher.example"}, "xn--"},
		{"nor would this", counterfoil.Config{Origins: []string{"https://bücher.example"}}, "xn--"},
		{"an origin is one host", counterfoil.Config{Origins: []string{"https://*.example.com"}}, "no wildcards"},
		{"a port that is empty is none", counterfoil.Config{Origins: []string{"https://a.example:"}}, "scheme and host"},
		{"a number of bytes", counterfoil.Config{MaxFormBytes: -1}, "zero for 1 MiB"},
		{"a number of sessions", counterfoil.Config{MaxRemembered: -1}, "Bound"},
		{"30 is not 30 seconds", counterfoil.Config{Canary: 30}, "Canary"},
		{"no life is negative", counterfoil.Config{IdleTimeout: -1}, "IdleTimeout"},
		{"3.3.5: no cookie lives for more than 400 days", counterfoil.Config{RememberLifetime: 401 * 24 * time.Hour}, "RememberLifetime"},
		{"a token lives for an hour at most", counterfoil.Config{TokenLife: 2 * time.Hour}, "TokenLife"},
	} {
		t.Run(c.why, func(t *testing.T) {
			m, err := counterfoil.New(c.config)
			if err == nil {
				m.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not say %q", err, c.want)
			}
		})
	}
}

// http is for this machine alone; its cookie has no Secure, or the browser would
// drop it. A scheme has no case (RFC 3986).
func TestLoopback(t *testing.T) {
	for _, url := range []string{
		"http://localhost:8080", "HTTP://LocalHost:8080", "http://app.localhost", "http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:8080/",
	} {
		m, err := counterfoil.New(counterfoil.Config{PublicURL: url})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		s := &site{Manager: m, t: t}
		s.handler = m.Handler(http.HandlerFunc(s.form))
		header := s.browser().get("/").Header.Get("Set-Cookie")
		if strings.Contains(header, "Secure") || !strings.HasPrefix(header, counterfoil.LoopbackCookieName+"=") {
			t.Errorf("%s: %s", url, header)
		}
		m.Close()
	}
}
