package counterfoil_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

const cookieName = counterfoil.LoopbackCookieName

func TestCookieHeader(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	user := s.user("john")
	good := user.cookies[cookieName]
	other := s.user("mallory").cookies[cookieName]
	last := good[:len(good)-1]

	for _, c := range []struct {
		why    string
		header []string
		status int
		user   string
	}{
		{"the cookie as it was set", []string{cookieName + "=" + good}, 200, "john"},
		{"among others", []string{"a=b; " + cookieName + "=" + good + ";c=d"}, 200, "john"},
		{"in a second header line (HTTP/2 splits them)", []string{"a=b", cookieName + "=" + good}, 200, "john"},
		{"the same value twice is not ambiguous", []string{cookieName + "=" + good + "; " + cookieName + "=" + good}, 200, "john"},
		{"D10: two values are refused, whichever comes first", []string{cookieName + "=" + good + "; " + cookieName + "=" + other}, 400, ""},
		{"D10: over two lines as well", []string{cookieName + "=" + other, cookieName + "=" + good}, 400, ""},
		{"D10: an empty second value as well", []string{cookieName + "=" + good + "; " + cookieName + "="}, 400, ""},
		{"6265bis: $Version does nothing", []string{`$Version=1; ` + cookieName + "=" + good + `; $Path="/"`}, 200, "john"},
		{"6265bis: a quoted value is another value", []string{cookieName + `="` + good + `"`}, 200, ""},
		{"6265bis: names are case-sensitive", []string{"Counterfoil=" + good}, 200, ""},
		{"6265bis: a Unicode space is part of the name", []string{"\u00a0" + cookieName + "=" + good}, 200, ""},
		{"6265bis: a value without a name is not ours", []string{"=" + cookieName + "=" + good}, 200, ""},
		{"one character short", []string{cookieName + "=" + last}, 200, ""},
		{"one character long", []string{cookieName + "=" + good + "A"}, 200, ""},
		{"padding is another spelling", []string{cookieName + "=" + good + "="}, 200, ""},
		{"standard base64 is another spelling", []string{cookieName + "=" + strings.Repeat("+", len(good))}, 200, ""},
		{"a NUL", []string{cookieName + "=" + last + "\x00"}, 200, ""},
		{"a line break", []string{cookieName + "=" + last + "\n"}, 200, ""},
		{"a changed secret", []string{cookieName + "=" + good[:30] + flipAt(good, 30)}, 200, ""},
		{"a changed id", []string{cookieName + "=" + flipAt(good, 0)}, 200, ""},
		{"another's id with one's own secret", []string{cookieName + "=" + other[:22] + good[22:]}, 200, ""},
		{"an oversized header", []string{"x=" + strings.Repeat("y", 20<<10)}, 400, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := httptest.NewRequest("GET", publicURL+"/me", nil)
			r.Header["Cookie"] = c.header
			res := s.browser().do(r)
			if c.status != 200 {
				wantStatus(t, c.why, res, c.status)
				return
			}
			if me := decode[who](t, res); me.User != c.user {
				t.Errorf("user %q, want %q", me.User, c.user)
			}
		})
	}
}

func flipAt(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

// 3.3.1 to 3.3.5: the attributes of every Set-Cookie.
func TestCookieAttributes(t *testing.T) {
	for _, c := range []struct {
		why       string
		publicURL string
		name      string
		secure    bool
	}{
		{"https: Secure and __Host-", "https://app.example.com", "__Host-counterfoil", true},
		{"no public URL: as on https", "", "__Host-counterfoil", true},
		{"http on loopback: neither, or the browser would drop it", "http://localhost:8080", "counterfoil", false},
	} {
		t.Run(c.why, func(t *testing.T) {
			m, err := counterfoil.New(counterfoil.Config{PublicURL: c.publicURL})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			s := &site{Manager: m, t: t}
			s.handler = m.Handler(http.HandlerFunc(s.form))
			header := s.browser().get("/").Header.Get("Set-Cookie")
			cookie, err := http.ParseSetCookie(header)
			if err != nil {
				t.Fatal(err)
			}
			if cookie.Name != c.name || cookie.Secure != c.secure {
				t.Errorf("%s", header)
			}
			if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
				t.Errorf("3.3.2 to 3.3.4: %s", header)
			}
			if cookie.MaxAge != 0 || !cookie.Expires.IsZero() {
				t.Errorf("NIST: by default the cookie ends with the browser: %s", header)
			}
			if len(header) > 4096 {
				t.Errorf("3.3.5: %d bytes", len(header))
			}
		})
	}
}

func TestRememberedCookie(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.visitor()
	res := b.post("/login", "user", "john", "remember", "on")
	cookie := res.Cookies()[0]
	if got := time.Duration(cookie.MaxAge) * time.Second; got != 30*24*time.Hour {
		t.Errorf("Max-Age %v, want the session's lifetime of 30 days", got)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Error("14.3.2: an answer with a cookie may be stored")
	}
}

// 7.2.3: 100,000 secrets: no duplicate, one length, no bias.
func TestSecretsAreRandom(t *testing.T) {
	t.Parallel() // it takes a while
	s := newSite(t, counterfoil.Config{})
	const n = 100_000
	seen := make(map[string]bool, n)
	var ones [256]int
	for range n {
		rec := httptest.NewRecorder()
		s.handler.ServeHTTP(rec, httptest.NewRequest("GET", publicURL+"/form", nil))
		value := rec.Result().Cookies()[0].Value
		raw, err := base64.RawURLEncoding.DecodeString(value)
		if err != nil || len(raw) != 48 {
			t.Fatalf("%d bytes, %v", len(raw), err)
		}
		secret := raw[16:]
		if seen[string(secret)] {
			t.Fatal("the same secret twice")
		}
		seen[string(secret)] = true
		for i := range ones {
			ones[i] += int(secret[i/8] >> (i % 8) & 1)
		}
	}
	// Each bit is set in half of them: 50,000 ± 158 (one standard deviation).
	// Seven of them are passed by chance once in three billion such tests.
	for i, count := range ones {
		if count < n/2-1107 || count > n/2+1107 {
			t.Errorf("bit %d is set in %d of %d secrets", i, count, n)
		}
	}
}
