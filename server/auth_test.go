package server_test

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

const appOrigin = "https://app.example.com"

func behindProxy(c *server.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}
	c.AppOrigins = []string{appOrigin}
}

// forwarded is what a proxy says about a request for a page of the application's.
func forwarded(uri string) http.Header {
	return http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Uri": {uri}}
}

// TestAuth: GET /auth says who asks. The rest of its contract is tested in
// package forwardauth, and with real proxies in e2e.
func TestAuth(t *testing.T) {
	s := openSite(t, behindProxy)
	john := s.loggedIn()
	answer := john.get("/auth")
	want(t, answer, 200)
	for name, value := range map[string]string{"X-Auth-User": s.john.ID, "X-Auth-Name": "john", "Set-Cookie": "", "Cache-Control": "no-store"} {
		if got := answer.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	session := decode[map[string]any](t, john.get("/v1/session"))
	if got := answer.Header.Get("X-Auth-Session"); got != session["id"] {
		t.Errorf("X-Auth-Session is %q, want %q", got, session["id"])
	}
	program := s.newClient().do("GET", "/auth", bearer(s.apiLogin().AccessToken), "")
	want(t, program, 200)
	if got := program.Header.Get("X-Auth-User"); got != s.john.ID {
		t.Errorf("with a token X-Auth-User is %q", got)
	}
	nobody := s.newClient().do("GET", "/auth", forwarded("/a?b=c&d"), "")
	want(t, nobody, 401)
	login := s.url + "/login?next=" + url.QueryEscape(appOrigin+"/a?b=c&d")
	if got := nobody.Header.Get("X-Login-URL"); got != login {
		t.Errorf("X-Login-URL is %q, want %q", got, login)
	}
	if got := s.newClient().get("/auth").Header.Get("X-Login-URL"); got != s.url+"/login" {
		t.Errorf("about nothing, X-Login-URL is %q", got)
	}
	want(t, john.post("/auth", ""), 403) // Envoy asks so, and no browser says from where
	want(t, s.newClient().post("/auth", ""), 401)
}

// TestPublicURLHasOneSpelling: however it is written, browsers are sent to it, and
// their posts from it are taken.
func TestPublicURLHasOneSpelling(t *testing.T) {
	const public = "https://auth.example.com"
	for _, spelling := range []string{public, public + "/", public + ":", public + ":443", "HTTPS://Auth.example.com"} {
		t.Run(spelling, func(t *testing.T) {
			s := openSite(t, func(c *server.Config) { c.Sessions.PublicURL = spelling })
			if got := s.newClient().get("/auth").Header.Get("X-Login-URL"); got != public+"/login" {
				t.Errorf("X-Login-URL is %q", got)
			}
			header := http.Header{"Content-Type": {"application/json"}, "Origin": {public}}
			answer := s.newClient().do("POST", "/v1/login", header, `{"username":"john","password":"wrong"}`)
			want(t, answer, 401)
		})
	}
}

// TestLoginLeadsBack: after the login the user is where he wanted to be, if that
// is a site of ours (3.7.2, req 38).
func TestLoginLeadsBack(t *testing.T) {
	s := openSite(t, behindProxy)
	for next, location := range map[string]string{
		appOrigin + "/a?b=c":             appOrigin + "/a?b=c",
		appOrigin:                        "/account",
		appOrigin + ".evil.test/":        "/account",
		appOrigin + "@evil.test/":        "/account",
		appOrigin + `\@evil.test/`:       "/account",
		"https://wiki.example.com/":      "/account",
		"http://app.example.com/":        "/account",
		"//app.example.com/":             "/account",
		"https://evil.test/" + appOrigin: "/account",
		s.url + "/account?x=y":           s.url + "/account?x=y",
		"/account?x=y":                   "/account?x=y",
	} {
		c := s.newClient()
		form := c.get("/login?next=" + url.QueryEscape(next))
		want(t, form, 200)
		if strings.Contains(form.body, "evil") {
			t.Errorf("next=%q stands in the form", next)
		}
		answer := c.post("/login", tokenField.FindStringSubmatch(form.body)[1], "username", "john", "password", password, "next", next)
		want(t, answer, 303)
		if got := answer.Header.Get("Location"); got != location {
			t.Errorf("next=%q leads to %q, want %q", next, got, location)
		}
		if policy := form.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' "+appOrigin+";") {
			t.Errorf("browsers would not follow the redirect to the application: %q", policy)
		}
	}
}

// TestSharedCookie: with a cookie domain, the session's cookie is for all of its
// hosts, and the logout takes it from all of them.
func TestSharedCookie(t *testing.T) {
	const public = "https://auth.example.com"
	s := openSite(t, behindProxy, func(c *server.Config) {
		c.Sessions.PublicURL = public
		c.Sessions.CookieDomain = "example.com"
	})
	named := func(r reply, name string) (found *http.Cookie) {
		for _, c := range r.Cookies() {
			if c.Name == name {
				found = c
			} else if c.Domain != "" {
				t.Errorf("%s is for %s, too", c.Name, c.Domain)
			}
		}
		if found == nil || found.Domain != "example.com" || !found.Secure || !found.HttpOnly || found.SameSite != http.SameSiteLaxMode {
			t.Fatalf("the cookie is %v", found)
		}
		return found
	}
	const name = "__Secure-counterfoil"
	form := s.newClient().get("/login")
	header := http.Header{"Origin": {public}, "Content-Type": {"application/x-www-form-urlencoded"}}
	header.Set("Cookie", name+"="+named(form, name).Value)
	login := s.withCookie("").do("POST", "/login", header, url.Values{
		"csrf_token": {tokenField.FindStringSubmatch(form.body)[1]}, "username": {"john"}, "password": {password},
	}.Encode())
	want(t, login, 303)
	john := http.Header{"Cookie": {name + "=" + named(login, name).Value}}
	want(t, s.withCookie("").do("GET", "/auth", john, ""), 200)
	page := s.withCookie("").do("GET", "/account", john, "")
	want(t, page, 200)
	header.Set("Cookie", john.Get("Cookie"))
	logout := url.Values{"csrf_token": {tokenField.FindStringSubmatch(page.body)[1]}}.Encode()
	header.Set("Origin", appOrigin)
	want(t, s.withCookie("").do("POST", "/logout", header, logout), 403) // req 16: a sibling is foreign
	header.Set("Origin", public)
	answer := s.withCookie("").do("POST", "/logout", header, logout)
	want(t, answer, 303)
	if c := named(answer, name); c.MaxAge >= 0 {
		t.Errorf("req 14: the logout leaves the cookie: %v", c)
	}
	want(t, s.withCookie("").do("GET", "/auth", john, ""), 401)
}

// TestAuthFailsClosed: a store that can't be asked lets nobody in, and throws
// nobody out (16.5.3, req 46).
func TestAuthFailsClosed(t *testing.T) {
	sessions, err := sqlite.Open(t.Context(), t.TempDir()+"/sessions.db", sqlite.Config{})
	check(t, err)
	const bound = 300 * time.Millisecond
	s := openSite(t, behindProxy, func(c *server.Config) { c.Sessions.Store, c.Sessions.Bound = sessions, bound })
	john := s.loggedIn()
	want(t, john.get("/auth"), 200)
	check(t, sessions.Close())
	time.Sleep(2 * bound)
	answer := john.get("/auth")
	want(t, answer, 503)
	if answer.Header.Get("Retry-After") == "" || answer.Header.Get("X-Auth-User") != "" {
		t.Errorf("the answer has %v", answer.Header)
	}
}

// BenchmarkAuth compares GET /auth with GET /healthz: the same headers, the same
// connection, in turn, so that whatever else the machine does slows both. It
// reports medians, and how many times that of /healthz they are.
func BenchmarkAuth(b *testing.B) {
	s := openSite(b, behindProxy)
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	cookie, token := forwarded("/reports?year=2026"), forwarded("/reports?year=2026")
	cookie.Set("Cookie", cookieName+"="+s.loggedIn().cookie())
	token.Set("Authorization", "Bearer "+s.apiLogin().AccessToken)
	kinds := []struct {
		name, path string
		header     http.Header
		took       []time.Duration
	}{
		{name: "healthz", path: "/healthz", header: cookie},
		{name: "cookie", path: "/auth", header: cookie},
		{name: "token", path: "/auth", header: token},
	}
	for b.Loop() {
		for i := range kinds {
			k := &kinds[i]
			r, err := http.NewRequest("GET", s.url+k.path, nil)
			check(b, err)
			r.Header = k.header
			start := time.Now()
			answer, err := transport.RoundTrip(r)
			check(b, err)
			_, err = io.Copy(io.Discard, answer.Body)
			k.took = append(k.took, time.Since(start))
			check(b, errors.Join(err, answer.Body.Close()))
			if answer.StatusCode != 200 {
				b.Fatal(k.path, answer.Status)
			}
		}
	}
	var alive float64
	for _, k := range kinds {
		slices.Sort(k.took)
		median := float64(k.took[len(k.took)/2])
		if k.name == "healthz" {
			alive = median
		}
		b.ReportMetric(median/1000, k.name+"-µs")
		b.ReportMetric(median/alive, k.name+"/healthz")
	}
}
