package server

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/server/account"
)

// TestLocalPath holds the corpus of open redirects (3.7.2, req 38).
func TestLocalPath(t *testing.T) {
	for _, good := range []string{"/", "/account", "/a/b?c=d&e=/f", "/a#b", "/account?next=https://x.test/", "/~john", "/a//b"} {
		if got := localPath(good); got != good {
			t.Errorf("%q leads to %q", good, got)
		}
	}
	for _, bad := range []string{
		"", "account", ".", "..", "?x", "#x",
		"//", "//evil.test", "///evil.test", "////evil.test", "//evil.test/..", "//evil.test:80/", "//@evil.test",
		`/\evil.test`, `\/evil.test`, `\\evil.test`, `/\/evil.test`, `//\evil.test`, `/a\..\evil`,
		"/%2fevil.test", "/%2Fevil.test", "/%2f%2fevil.test", "/%5cevil.test", "/%5C%5Cevil.test", "%2f%2fevil.test",
		"/\t/evil.test", "/\n/evil.test", "/\r/evil.test", "\t//evil.test", "/%09/evil.test", "/%0d%0aSet-Cookie:a=b", "/\x00/evil.test", "/%00/", "/%20",
		" //evil.test", "/ /evil.test", "\u00a0/evil.test", "/\u2028/evil", "/\u3002evil.test", "/\uff0fevil.test",
		"http://evil.test", "https://evil.test", "HTTPS://evil.test", "https:evil.test", "https:/evil.test", "https:///evil.test",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "mailto:x@y",
		"http://localhost@evil.test", "http://localhost:8080", "localhost:8080/account", "evil.test", "www.evil.test/account",
		"/%zz", "/a%", "/" + strings.Repeat("a", maxNext),
	} {
		if got := localPath(bad); got != afterLogin {
			t.Errorf("%q leads to %q", bad, got)
		}
	}
}

// FuzzLocalPath: whatever is asked for, a browser stays on the site.
func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/account", "//", "//evil.test", `/\evil.test`, "/%2f%2fevil.test", "https://evil.test", "/a?b#c"} {
		f.Add(seed)
	}
	site, err := url.Parse("http://localhost:8080/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		path := localPath(next)
		// What browsers do to a URL before they read it (WHATWG URL, basic parser).
		path = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.Trim(path, " "))
		u, err := site.Parse(path)
		if err != nil || u.Host != site.Host || u.Scheme != site.Scheme || u.User != nil || strings.HasPrefix(path, "//") {
			t.Errorf("%q leads to %q, which is %v", next, path, u)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, &http.Request{Method: "POST", URL: site}, localPath(next), http.StatusSeeOther)
		if location := w.Header().Get("Location"); strings.HasPrefix(location, "//") || !strings.HasPrefix(location, "/") {
			t.Errorf("%q is sent as %q", next, location)
		}
	})
}

// FuzzParseObject: what is read is what every other reader of JSON reads.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{`{"username":"a","password":"b"}`, `{"username":"a","username":"b"}`, `{}`, `{"a":[{}]}`, `{"username":"\ud800"}`, "null"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, err := parseObject(body, []string{"username", "password"})
		if err == nil && len(fields) != 2 {
			t.Errorf("%q gives %v", body, fields)
		}
	})
}

// TestPanics: a bug is a page with an incident, and half an answer is never
// passed off as a whole one.
func TestPanics(t *testing.T) {
	var log strings.Builder
	s := &Server{log: slog.New(slog.NewTextHandler(&log, nil))}
	handler := s.withHeaders(s.withRecovery(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			io.WriteString(w, "half")
		}
		panic("a bug")
	})))
	for _, path := range []string{"/page", "/v1/x"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 500 || strings.Contains(w.Body.String(), "a bug") || !strings.Contains(log.String(), `panic="a bug"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("half an answer ends with %v, want the connection cut", cause)
		}
	}()
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/half", nil))
}

// TestSetupCodeExpires: it works for an hour (6.4.1).
func TestSetupCodeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c setupCode
		if c.matches("") {
			t.Error("no code was made, and one works")
		}
		code := c.renew()
		time.Sleep(setupLife - time.Second)
		if !c.matches(code) {
			t.Error("the code does not work")
		}
		time.Sleep(time.Second)
		if c.matches(code) {
			t.Error("the code works for longer than an hour")
		}
	})
}

// TestTrustedProxies: X-Forwarded-For counts from listed proxies alone, and
// from the right (4.1.3, req 43).
func TestTrustedProxies(t *testing.T) {
	const local = "127.0.0.1"
	for _, tc := range []struct {
		why       string
		proxies   []string
		forwarded []string
		address   string
	}{
		{"an empty list trusts nobody", nil, []string{"192.0.2.1"}, local},
		{"a proxy that is not listed", []string{"10.0.0.0/8"}, []string{"192.0.2.1"}, local},
		{"a listed proxy", []string{"127.0.0.0/8"}, []string{"192.0.2.1"}, "192.0.2.1"},
		{"what the client wrote stands further left", []string{"127.0.0.0/8"}, []string{"203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies in a row", []string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"203.0.113.9, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"several lines are one list", []string{"127.0.0.0/8"}, []string{"203.0.113.9", "192.0.2.1"}, "192.0.2.1"},
		{"no address: the proxy itself", []string{"127.0.0.0/8"}, []string{"unknown"}, local},
		{"nothing readable further left counts", []string{"127.0.0.0/8"}, []string{"192.0.2.1, unknown"}, local},
		{"no header: the proxy itself", []string{"127.0.0.0/8"}, nil, local},
		{"only proxies: the first of them", []string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		{"IPv6", []string{"127.0.0.0/8"}, []string{"2001:db8::1"}, "2001:db8::1"},
		{"some proxies write the port, too", []string{"127.0.0.0/8"}, []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"also of a proxy before them", []string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"[2001:db8::1]:4711, 10.0.0.2:80"}, "2001:db8::1"},
		{"brackets without a port", []string{"127.0.0.0/8"}, []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"half a pair of brackets is no address", []string{"127.0.0.0/8"}, []string{"[2001:db8::1"}, local},
		{"IPv4 in IPv6 is IPv4", []string{"127.0.0.0/8"}, []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
	} {
		s := &Server{}
		for _, text := range tc.proxies {
			s.proxies = append(s.proxies, netip.MustParsePrefix(text))
		}
		r := &http.Request{RemoteAddr: local + ":4711", Header: http.Header{"X-Forwarded-For": tc.forwarded}}
		if got := s.clientAddress(r).String(); got != tc.address {
			t.Errorf("%s: %s, want %s", tc.why, got, tc.address)
		}
	}

	// The zone of a proxy on the same link does not count.
	s := &Server{proxies: []netip.Prefix{netip.MustParsePrefix("fe80::1/128")}}
	r := &http.Request{RemoteAddr: "[fe80::1%eth0]:4711", Header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}}
	if got := s.clientAddress(r).String(); got != "192.0.2.1" {
		t.Errorf("behind a proxy with a zone: %s", got)
	}
}

// TestDebtsAreGivenTime: another server may be in the middle of a password
// change, and keep a session on purpose.
func TestDebtsAreGivenTime(t *testing.T) {
	accounts, err := account.Open(t.Context(), filepath.Join(t.TempDir(), "accounts.db"), account.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer accounts.Close()
	user, err := accounts.Add(t.Context(), "john", "purple otters juggle 9 lamps")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.stop() // the test looks itself
	s.work.Wait()
	if _, err := accounts.Disable(t.Context(), user.ID); err != nil {
		t.Fatal(err)
	}
	var due []account.Cutoff
	for look, want := range []int{1, 1, 0} { // seen, settled, gone
		if due, err = s.settleForgotten(t.Context(), due); err != nil || len(due) != want {
			t.Errorf("look %d finds %v, %v; want %d debts", look, due, err, want)
		}
	}
}
