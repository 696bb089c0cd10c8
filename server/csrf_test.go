package server_test

import (
	"net/http"
	"net/url"
	"testing"
)

// TestForgedRequests sends what the account page can do in the ways a forger
// would. Nothing of it must be done.
func TestForgedRequests(t *testing.T) {
	s := openSite(t)

	c := s.newClient()
	beforeLogin := c.token("/login")
	want(t, c.post("/login", beforeLogin, "username", "john", "password", password), 303)
	good := c.token("/account")
	other := s.loggedIn()
	othersToken := other.token("/account")
	gone := s.loggedIn()
	afterLogout := gone.token("/account")
	want(t, gone.post("/logout", afterLogout), 303)

	type request struct {
		method, path string
		header       http.Header
		body         string
	}
	form := func(token string) string { return url.Values{"csrf_token": {token}}.Encode() }
	cases := []struct {
		why    string
		edit   func(r *request)
		status int
	}{
		{"3.5.1: no token", func(r *request) { r.body = "" }, 403},
		{"3.5.1: an empty token", func(r *request) { r.body = form("") }, 403},
		{"3.5.1: another session's token", func(r *request) { r.body = form(othersToken) }, 403},
		{"3.5.1: the token from before the login", func(r *request) { r.body = form(beforeLogin) }, 403},
		{"3.5.1: a token from a session that has ended", func(r *request) { r.body = form(afterLogout) }, 403},
		{"3.5.1: one letter cut off", func(r *request) { r.body = form(good[:len(good)-1]) }, 403},
		{"req 15: two tokens, one of them good", func(r *request) { r.body = form(good) + "&" + form(othersToken) }, 403},
		{"req 15: the token in a cookie only", func(r *request) {
			r.body = ""
			r.header.Set("Cookie", cookieName+"="+c.cookie()+"; csrf_token="+good)
		}, 403},
		{"req 15: the token in the URL only", func(r *request) { r.body, r.path = "", r.path+"?csrf_token="+good }, 403},
		{"req 15: method change", func(r *request) { r.method = "GET" }, 405},
		{"req 15: method change, and the query as the form", func(r *request) { r.method, r.path = "GET", r.path+"?"+form(good) }, 405},
		{"req 15: _method", func(r *request) { r.method, r.path, r.body = "GET", r.path+"?_method=POST", form(good)+"&_method=POST" }, 405},
		{"req 15: another method", func(r *request) { r.method = "PUT" }, 405},
		{"req 15: text/plain, which any page can send", func(r *request) { r.header.Set("Content-Type", "text/plain") }, 403},
		{"req 15: no content type", func(r *request) { r.header.Del("Content-Type") }, 403},
		{"req 15: JSON", func(r *request) {
			r.header.Set("Content-Type", "application/json")
			r.body = `{"csrf_token":"` + good + `"}`
		}, 403},
		{"req 16: another site, by Fetch Metadata", func(r *request) { r.header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"req 16: a sibling subdomain, which carries our cookie", func(r *request) { r.header.Set("Sec-Fetch-Site", "same-site") }, 403},
		{"req 16: another origin", func(r *request) { r.header.Set("Origin", "http://evil.test") }, 403},
		{"D11: the scheme counts", func(r *request) { r.header.Set("Origin", "https"+s.url[4:]) }, 403},
		{"D11: the port counts", func(r *request) { r.header.Set("Origin", "http://localhost") }, 403},
		{"req 16: a null origin", func(r *request) { r.header.Set("Origin", "null") }, 403},
		{"req 16: our origin as a prefix", func(r *request) { r.header.Set("Origin", s.url+".evil.test") }, 403},
		{"step 2: no cookie", func(r *request) { r.header.Del("Cookie") }, 403},
		{"step 2: an unknown cookie", func(r *request) { r.header.Set("Cookie", cookieName+"="+flip(c.cookie())) }, 403},
		{"D10: two cookies that differ", func(r *request) {
			r.header.Set("Cookie", cookieName+"="+c.cookie()+"; "+cookieName+"="+other.cookie())
		}, 400},
		{"a bearer token does not stand in for the form's token", func(r *request) {
			r.body = ""
			r.header.Set("Authorization", "Bearer x.y.z")
		}, 403},
	}
	for _, path := range []string{"/account/sessions/end-others", "/account/password", "/logout", "/login"} {
		for _, tc := range cases {
			r := request{"POST", path, http.Header{
				"Content-Type": formHeader["Content-Type"],
				"Cookie":       {cookieName + "=" + c.cookie()},
			}, form(good)}
			tc.edit(&r)
			status := tc.status
			if path == "/login" && r.method == "GET" {
				status = 200 // the form; nothing is done
			}
			if path == "/logout" && (r.header.Get("Cookie") == "" || r.header.Get("Cookie") == cookieName+"="+flip(c.cookie())) {
				status = 303 // nobody is logged in there: see TestLogoutTwice
			}
			answer := s.withCookie("").do(r.method, r.path, r.header, r.body)
			if answer.StatusCode != status {
				t.Errorf("%s %s: status %d, want %d: %s", r.method, path, answer.StatusCode, status, tc.why)
			}
		}
	}
	want(t, c.get("/account"), 200)
	want(t, other.get("/account"), 200)
	want(t, s.newClient().login("john", password), 303)

	t.Run("and the good ones are accepted", func(t *testing.T) {
		want(t, c.do("POST", "/account/sessions/end-others", http.Header{
			"Content-Type":   formHeader["Content-Type"],
			"Origin":         {s.url},
			"Sec-Fetch-Site": {"same-origin"},
		}, form(good)), 303)
		want(t, c.do("POST", "/account/sessions/end-others", http.Header{"X-Csrf-Token": {good}}, ""), 303)
		want(t, other.get("/account"), 303)
	})
}

// TestForgedAPIRequests: with a cookie, the API asks for the token as well.
func TestForgedAPIRequests(t *testing.T) {
	s := openSite(t)
	c := s.loggedIn()
	good := c.token("/account")
	for _, r := range []struct{ method, path string }{
		{"POST", "/v1/session/token"},
		{"DELETE", "/v1/session"},
		{"DELETE", "/v1/sessions"},
		{"DELETE", "/v1/sessions/" + decode[map[string]any](t, c.get("/v1/session"))["id"].(string)},
	} {
		for why, header := range map[string]http.Header{
			"no token":                   {},
			"an empty token":             {"X-Csrf-Token": {""}},
			"two tokens":                 {"X-Csrf-Token": {good, good}},
			"another session's token":    {"X-Csrf-Token": {s.newClient().token("/login")}},
			"a good token, another site": {"X-Csrf-Token": {good}, "Sec-Fetch-Site": {"cross-site"}},
			"a good token, a wrong host": {"X-Csrf-Token": {good}, "Origin": {"http://evil.test"}},
		} {
			if answer := c.do(r.method, r.path, header, ""); answer.StatusCode != 403 {
				t.Errorf("%s %s with %s: status %d, want 403", r.method, r.path, why, answer.StatusCode)
			}
		}
	}
	want(t, c.get("/v1/session"), 200)
	want(t, c.do("DELETE", "/v1/session", http.Header{"X-Csrf-Token": {good}}, ""), 204)
	want(t, c.get("/v1/session"), 401)
}

// TestLoginCSRF: a forger can't log a visitor in as somebody else (req 17).
func TestLoginCSRF(t *testing.T) {
	s := openSite(t)
	forgersToken := s.newClient().token("/login")
	victim := s.newClient()
	victim.token("/login")
	want(t, victim.post("/login", forgersToken, "username", "john", "password", password), 403)
	want(t, victim.get("/account"), 303)
}
