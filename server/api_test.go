package server_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func url64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// TestAPIShapes: field names are part of the surface.
func TestAPIShapes(t *testing.T) {
	s := openSite(t)
	login := s.newClient().postJSON("/v1/login", map[string]string{"username": "john", "password": password, "more": "passed over"})
	want(t, login, 200)
	g := decode[grant](t, login)
	if g.TokenType != "Bearer" || g.ExpiresIn != 600 || g.RefreshToken == "" {
		t.Errorf("the grant is %+v", g)
	}
	sessionFields := []string{"amr", "auth_time", "created_at", "current", "expires_at", "id", "last_seen_at", "sub", "user"}
	if got := slices.Sorted(maps.Keys(g.Session)); !slices.Equal(got, sessionFields) {
		t.Errorf("the session has %v, want %v", got, sessionFields)
	}
	for _, field := range []string{"auth_time", "created_at", "expires_at", "last_seen_at"} {
		if at, err := time.Parse(time.RFC3339, g.Session[field].(string)); err != nil || at.Location() != time.UTC {
			t.Errorf("%s is %v, want RFC 3339 in UTC", field, g.Session[field])
		}
	}
	c := s.withCookie("")
	session := decode[map[string]any](t, c.do("GET", "/v1/session", bearer(g.AccessToken), ""))
	if session["current"] != true || session["user"] != "john" || session["sub"] != s.john.ID || session["id"] != g.Session["id"] {
		t.Errorf("the session is %v", session)
	}
	s.loggedIn()
	list := decode[map[string][]map[string]any](t, c.do("GET", "/v1/sessions", bearer(g.AccessToken), ""))["sessions"]
	if len(list) != 2 || list[0]["current"] != true || list[1]["current"] != false {
		t.Errorf("the sessions are %v", list)
	}
	ended := decode[map[string]int](t, c.do("DELETE", "/v1/sessions?others=true", bearer(g.AccessToken), ""))
	if ended["ended"] != 1 {
		t.Errorf("others=true ended %v", ended)
	}
	want(t, c.do("DELETE", "/v1/sessions?others=yes", bearer(g.AccessToken), ""), 400)
	ended = decode[map[string]int](t, c.do("DELETE", "/v1/sessions", bearer(g.AccessToken), ""))
	if ended["ended"] != 1 {
		t.Errorf("it ended %v", ended)
	}
}

// TestRefresh: each refresh token gives the same successor for 30 s (req 41).
func TestRefresh(t *testing.T) {
	s := openSite(t)
	g := s.apiLogin()
	c := s.withCookie("")
	first, second := refresh(c, g.RefreshToken), refresh(c, g.RefreshToken)
	want(t, first, 200)
	want(t, second, 200)
	a, b := decode[grant](t, first), decode[grant](t, second)
	if a.RefreshToken != b.RefreshToken || a.RefreshToken == g.RefreshToken || a.Session["id"] != g.Session["id"] {
		t.Error("the same token gives two successors, or none")
	}
	if first.Header.Get("Cache-Control") != "no-store" || first.Header.Get("Pragma") != "no-cache" {
		t.Error("RFC 6749 section 5.1: the answer may be kept")
	}
	third := refresh(c, a.RefreshToken)
	want(t, third, 200)
	want(t, refresh(c, g.RefreshToken), 400) // 10.4.5: an older one ends the session
	want(t, refresh(c, decode[grant](t, third).RefreshToken), 400)
	want(t, c.do("GET", "/v1/session", bearer(a.AccessToken), ""), 401)
}

// TestTokenErrors are those of RFC 6749 section 5.2.
func TestTokenErrors(t *testing.T) {
	s := openSite(t)
	g := s.apiLogin()
	good := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.RefreshToken}}.Encode()
	for _, tc := range []struct {
		why, body, contentType string
		status                 int
		code                   string
	}{
		{"no grant type", "refresh_token=x", "", 400, "invalid_request"},
		{"no token", "grant_type=refresh_token", "", 400, "invalid_request"},
		{"an empty body", "", "", 400, "invalid_request"},
		{"a repeated parameter", good + "&grant_type=refresh_token", "", 400, "invalid_request"},
		{"a repeated token", good + "&refresh_token=x", "", 400, "invalid_request"},
		{"broken escapes", "grant_type=refresh_token&refresh_token=%zz", "", 400, "invalid_request"},
		{"another grant", "grant_type=password&username=john", "", 400, "unsupported_grant_type"},
		{"a made-up token", "grant_type=refresh_token&refresh_token=x", "", 400, "invalid_grant"},
		{"an access token", "grant_type=refresh_token&refresh_token=" + g.AccessToken, "", 400, "invalid_grant"},
		{"JSON", `{"grant_type":"refresh_token"}`, "application/json", 415, "invalid_request"},
		{"too much", "refresh_token=" + strings.Repeat("a", 20<<10), "", 413, "invalid_request"},
	} {
		header := formHeader
		if tc.contentType != "" {
			header = http.Header{"Content-Type": {tc.contentType}}
		}
		answer := s.withCookie("").do("POST", "/v1/token", header, tc.body)
		if got := decode[map[string]string](t, answer)["error"]; answer.StatusCode != tc.status || got != tc.code {
			t.Errorf("%s: %d %s, want %d %s", tc.why, answer.StatusCode, got, tc.status, tc.code)
		}
	}
	want(t, s.withCookie("").do("POST", "/v1/token?"+good, formHeader, ""), 400) // never in a URL
	want(t, refresh(s.withCookie(""), g.RefreshToken), 200)                      // and the good one was not used up
}

// TestBearerAlone: a request with a token is judged by that alone.
func TestBearerAlone(t *testing.T) {
	s := openSite(t)
	c := s.loggedIn()
	want(t, c.get("/v1/session"), 200)
	for why, authorization := range map[string][]string{
		"a bad token beside a good cookie": {"Bearer x.y.z"},
		"an empty token":                   {"Bearer "},
		"no token":                         {"Bearer"},
		"a long token":                     {"Bearer " + strings.Repeat("a", 16<<10)},
	} {
		answer := c.do("GET", "/v1/session", http.Header{"Authorization": authorization}, "")
		if answer.StatusCode != 401 || answer.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("%s: %s, %q", why, answer.Status, answer.Header.Get("WWW-Authenticate"))
		}
	}
	want(t, c.do("GET", "/v1/session", http.Header{"Authorization": {"Bearer a", "Bearer b"}}, ""), 400)
	answer := s.withCookie("").get("/v1/session")
	if answer.StatusCode != 401 || answer.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without credentials: %s, %q", answer.Status, answer.Header.Get("WWW-Authenticate"))
	}
}

// TestVisitorsAPI: a session in which nobody is logged in has a CSRF token and
// nothing else.
func TestVisitorsAPI(t *testing.T) {
	s := openSite(t)
	c := s.newClient()
	c.token("/login")
	csrf := decode[map[string]string](t, c.get("/v1/csrf"))["csrf_token"]
	want(t, c.get("/v1/session"), 401)
	want(t, c.do("POST", "/v1/session/token", http.Header{"X-Csrf-Token": {csrf}}, ""), 401)
	want(t, c.do("POST", "/login", http.Header{"X-Csrf-Token": {csrf}, "Content-Type": formHeader["Content-Type"]},
		url.Values{"username": {"john"}, "password": {password}}.Encode()), 303)
}

func TestHealth(t *testing.T) {
	s := openSite(t)
	for _, path := range []string{"/healthz", "/readyz", "/.well-known/jwks.json"} {
		answer := s.newClient().get(path)
		want(t, answer, 200)
		if len(answer.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s sets a cookie", path)
		}
	}
	jwks := decode[map[string][]map[string]string](t, s.newClient().get("/.well-known/jwks.json"))
	for _, key := range jwks["keys"] {
		if key["kid"] == "" || key["d"] != "" {
			t.Errorf("13.3.1: the key set has %v", key)
		}
	}
}
