package server_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/server"
)

// TestEveryAnswer asks for every route, with every method, as nobody and as
// somebody, and looks at what must hold for every answer.
func TestEveryAnswer(t *testing.T) {
	s := openSite(t)
	jwt := s.apiLogin().AccessToken
	callers := map[string]func() http.Header{
		"nobody":         func() http.Header { return http.Header{} },
		"unknown cookie": func() http.Header { return http.Header{"Cookie": {cookieName + "=" + strings.Repeat("A", 64)}} },
		"bad cookie":     func() http.Header { return http.Header{"Cookie": {cookieName + "=a; " + cookieName + "=b"}} },
		"user":           func() http.Header { return http.Header{"Cookie": {cookieName + "=" + s.loggedIn().cookie()}} },
		"bad token":      func() http.Header { return bearer("no.such.token") },
		"client":         func() http.Header { return bearer(jwt) },
	}
	paths := slices.Concat(routesOf(t), []string{"/nothing", "/v1", "/v1/nothing", "/static/nothing", "//login", "/account/", "/.well-known/x"})
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}
	for caller, header := range callers {
		h := header() // one for all: ends that it asks for need a CSRF token, or come last
		c := s.withCookie("")
		for _, path := range paths {
			for _, method := range methods {
				if caller == "client" && method == "DELETE" {
					continue // it would log itself out
				}
				checkAnswer(t, caller, c.do(method, path, h, ""))
			}
		}
	}
}

var routePattern = regexp.MustCompile(`"(?:GET|POST|DELETE) (/[^"]*)"`)

// routesOf reads the paths in routes.go, so that no route is forgotten here.
func routesOf(t *testing.T) (paths []string) {
	source, err := os.ReadFile("routes.go")
	check(t, err)
	for _, m := range routePattern.FindAllStringSubmatch(string(source), -1) {
		path := strings.NewReplacer("{$}", "", "{sid}", "0198c0de-0000-7000-8000-000000000000").Replace(m[1])
		paths = append(paths, path)
	}
	if len(paths) < 20 {
		t.Fatalf("found %d routes in routes.go", len(paths))
	}
	return paths
}

func checkAnswer(t *testing.T, caller string, r reply) {
	t.Helper()
	h := r.Header
	where := caller + ": " + r.Request.Method + " " + r.Request.URL.Path + ": " + r.Status
	for _, rule := range []struct {
		header, pattern, why string
	}{
		{"Content-Security-Policy", `default-src 'none'.*frame-ancestors 'none'`, "3.4.3, 3.4.6: a policy that begins with nothing"},
		{"Content-Security-Policy", `object-src 'none'`, "3.4.3"},
		{"Content-Security-Policy", `base-uri 'none'`, "3.4.3"},
		{"X-Content-Type-Options", `^nosniff$`, "3.4.4"},
		{"Referrer-Policy", `^same-origin$`, "3.4.5: no URL leaks to other sites, and our own forms keep their Origin"},
		{"Cross-Origin-Opener-Policy", `^same-origin$`, "3.4.8"},
		{"Cross-Origin-Resource-Policy", `^same-origin$`, "req 8"},
		{"X-Frame-Options", `^DENY$`, "3.4.6, for old browsers"},
		{"Permissions-Policy", `camera=\(\)`, "req 8"},
		{"Cache-Control", `^no-store$|^public, max-age=(60|300)$`, "14.3.2: nothing of a user is kept"},
		{"Server", `^$`, "13.4.6: no version detail"},
		{"X-Powered-By", `^$`, "13.4.6"},
		{"Access-Control-Allow-Origin", `^$`, "3.4.2: no other origin reads our answers"},
	} {
		if value := h.Get(rule.header); !regexp.MustCompile(rule.pattern).MatchString(value) {
			t.Errorf("%s: %s is %q: %s", where, rule.header, value, rule.why)
		}
	}
	if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
		t.Errorf("%s: the policy has an unsafe part", where)
	}
	if kind := h.Get("Content-Type"); strings.HasPrefix(kind, "text/") && !strings.HasSuffix(kind, "charset=utf-8") {
		t.Errorf("%s: Content-Type %q: 4.1.1: text needs its charset", where, kind)
	}
	if r.StatusCode >= 500 {
		t.Errorf("%s: req 46: what a client sends is never the server's failure", where)
	}
	api := strings.HasPrefix(r.Request.URL.Path, "/v1") || strings.HasPrefix(r.Request.URL.Path, "/.well-known/")
	if api && r.StatusCode >= 400 && !strings.Contains(h.Get("Content-Type"), "json") {
		t.Errorf("%s: RFC 9457: an error of the API is %q", where, h.Get("Content-Type"))
	}
	if r.StatusCode == 405 && h.Get("Allow") == "" {
		t.Errorf("%s: RFC 9110: 405 needs Allow", where)
	}
	scheme := "Bearer"
	if strings.HasPrefix(r.Request.URL.Path, "/v1/feed") || r.Request.URL.Path == "/v1/events/poll" {
		scheme = "Basic" // for programs of ours, with an id and a secret
	}
	if r.StatusCode == 401 && !strings.HasPrefix(h.Get("WWW-Authenticate"), scheme) {
		t.Errorf("%s: RFC 9110: 401 needs WWW-Authenticate", where)
	}
	if r.StatusCode == 401 && scheme == "Bearer" && strings.HasSuffix(caller, "token") && h.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
		t.Errorf("%s: RFC 6750: WWW-Authenticate is %q", where, h.Get("WWW-Authenticate"))
	}
	if r.Request.Method == "TRACE" && r.StatusCode < 400 {
		t.Errorf("%s: 13.4.4: no TRACE", where)
	}
	for _, line := range h["Set-Cookie"] {
		checkCookie(t, where, line, false)
	}
}

// checkCookie looks at the attributes of a cookie (3.3.1–3.3.4, req 3 and 4).
func checkCookie(t *testing.T, where, line string, secure bool) {
	t.Helper()
	c, err := http.ParseSetCookie(line)
	check(t, err)
	if !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || c.Secure != secure {
		t.Errorf("%s: the cookie %q lacks an attribute", where, c.Name)
	}
	if secure != strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("%s: the cookie's name is %q", where, c.Name)
	}
	if c.MaxAge > 400*24*60*60 || len(line) > 4096 {
		t.Errorf("%s: the cookie %q is too long or lives too long", where, c.Name)
	}
}

func TestOnHTTPS(t *testing.T) {
	s := openSite(t, func(c *server.Config) { c.Sessions.PublicURL = "https://app.example.com" })
	form := s.newClient().get("/login")
	want(t, form, 200)
	if hsts := form.Header.Get("Strict-Transport-Security"); hsts != "max-age=63072000; includeSubDomains" {
		t.Errorf("3.4.1: Strict-Transport-Security is %q", hsts)
	}
	session := form.Cookies()[0]
	// The proxy in front talks plain http with us.
	header := http.Header{"Cookie": {session.String()}, "Origin": {"https://app.example.com"}}
	token := tokenField.FindStringSubmatch(form.body)[1]
	body := "csrf_token=" + token + "&username=john&remember=1&password=" + strings.ReplaceAll(password, " ", "+")
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := s.withCookie("").do("POST", "/login", header, body)
	want(t, answer, 303)
	lines := answer.Header["Set-Cookie"]
	if len(lines) != 2 {
		t.Fatalf("Set-Cookie: %q, want the session's and the device's", lines)
	}
	for _, line := range append(lines, form.Header["Set-Cookie"]...) {
		checkCookie(t, "https", line, true)
	}
	header.Set("Origin", "http://app.example.com")
	want(t, s.withCookie("").do("POST", "/login", header, body), 403) // D11: the scheme counts
}

// TestHeadIsLikeGet: where GET works, HEAD does, without a body.
func TestHeadIsLikeGet(t *testing.T) {
	s := openSite(t)
	c := s.loggedIn()
	for _, path := range []string{"/", "/login", "/account", "/v1/session", "/v1/sessions", "/v1/csrf", "/.well-known/jwks.json", "/healthz", "/readyz", "/nothing"} {
		get, head := c.get(path), c.do("HEAD", path, nil, "")
		if get.StatusCode != head.StatusCode || head.body != "" || get.Header.Get("Content-Type") != head.Header.Get("Content-Type") {
			t.Errorf("%s: GET is %s, HEAD %s", path, get.Status, head.Status)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	s := openSite(t)
	c := s.newClient()
	page := c.get("/login")
	nonce := regexp.MustCompile(`'nonce-([^']+)'`).FindStringSubmatch(page.Header.Get("Content-Security-Policy"))
	link := regexp.MustCompile(`href="(/static/[^"]+css)"[^>]*nonce="([^"]+)"`).FindStringSubmatch(page.body)
	if nonce == nil || link == nil || nonce[1] != link[2] {
		t.Fatalf("3.4.3: nonce %v in the policy, %v in the page", nonce, link)
	}
	if again := c.get("/login").Header.Get("Content-Security-Policy"); again == page.Header.Get("Content-Security-Policy") {
		t.Error("3.4.3: a nonce is used twice")
	}
	style := c.get(link[1])
	want(t, style, 200)
	if cache := style.Header.Get("Cache-Control"); !strings.Contains(cache, "immutable") {
		t.Errorf("Cache-Control is %q", cache)
	}
	if len(style.Header["Set-Cookie"]) > 0 {
		t.Error("a static file sets a cookie")
	}
}
