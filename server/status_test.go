package server_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil/server"
)

// statusPath is where a token says that its session's list is.
func statusPath(t *testing.T, access string) string {
	t.Helper()
	var claims struct {
		jwt.RegisteredClaims
		Status struct {
			List struct{ URI string } `json:"status_list"`
		}
	}
	_, _, err := jwt.NewParser().ParseUnverified(access, &claims)
	check(t, err)
	uri, err := url.Parse(claims.Status.List.URI)
	check(t, err)
	return uri.Path
}

// draft-ietf-oauth-status-list-20 section 8.1 and 8.2, at the address in the token.
func TestStatusLists(t *testing.T) {
	s, _ := openOAuth(t)
	path := statusPath(t, s.apiLogin().AccessToken)
	answer := s.withCookie("").get(path)
	want(t, answer, 200)
	for name, value := range map[string]string{
		"Content-Type":                "application/statuslist+jwt",
		"Cache-Control":               "no-store",
		"Access-Control-Allow-Origin": "*",
	} {
		if got := answer.Header.Get(name); got != value {
			t.Errorf("%s %q, want %q", name, got, value)
		}
	}
	if strings.Count(answer.body, ".") != 2 {
		t.Errorf("no JWT: %s", answer.body)
	}
	for _, c := range []struct {
		why, method, path string
		status            int
	}{
		{"HEAD, as everywhere", "HEAD", path, 200},
		{"lists are only read", "POST", path, 405},
		{"a number that no list has", "GET", "/v1/status/4294967295", 404},
		{"no number", "GET", "/v1/status/x", 404},
		{"a list of the past", "GET", path + "?time=1686925000", 404},
	} {
		if got := s.withCookie("").do(c.method, c.path, nil, ""); got.StatusCode != c.status {
			t.Errorf("%s: %s %s", c.why, got.Status, got.body)
		}
	}
}

// Off by default.
func TestNoStatusListsByDefault(t *testing.T) {
	s := openSite(t, func(*server.Config) {})
	if path := statusPath(t, s.apiLogin().AccessToken); path != "" {
		t.Errorf("a token names %s", path)
	}
	want(t, s.withCookie("").get("/v1/status/1"), 404)
}
