package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// John's story, step by step as the document tells it.
func TestStory(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	server.Config.Handler = site(sessions)
	server.Start()
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	john := &http.Client{Jar: jar}
	stranger := &http.Client{} // keeps no cookies

	// do sends a request and returns the body of an answer with that status.
	do := func(why string, who *http.Client, method, path string, form url.Values, bearer string, status int) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		res, err := who.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != status {
			t.Errorf("%s: status %d, want %d: %s", why, res.StatusCode, status, body)
		}
		return strings.TrimSpace(string(body))
	}
	form := func(csrf string) url.Values { return url.Values{"csrf_token": {csrf}, "password": {"open sesame"}} }

	page := do("John opens the form", john, "GET", "/login", nil, "", 200)
	field := csrfField.FindStringSubmatch(page)
	if field == nil {
		t.Fatalf("no CSRF field in %s", page)
	}
	csrf := field[1]

	do("no cookie: refused", stranger, "POST", "/login", form(csrf), "", 403)
	forged := do("unknown cookie: refused", &http.Client{Transport: unknownCookie{}}, "POST", "/login", form(csrf), "", 403)
	if !strings.Contains(forged, "unknown-session") {
		t.Errorf("an unknown cookie was refused for another reason: %s", forged)
	}
	do("wrong token: refused", john, "POST", "/login", form("AAAA"), "", 403)
	do("the form as it was served: processed", john, "POST", "/login", form(csrf), "", 200)

	csrf = csrfField.FindStringSubmatch(do("John opens a form", john, "GET", "/login", nil, "", 200))[1]
	jwt := do("John takes a token", john, "GET", "/token", nil, "", 200)
	if who := do("by cookie", john, "GET", "/whoami", nil, "", 200); who != `"john"` {
		t.Errorf("by cookie it is %s", who)
	}
	if who := do("by token", stranger, "GET", "/whoami", nil, jwt, 200); who != `"john"` {
		t.Errorf("by token it is %s", who)
	}

	cookies := jar.Cookies(mustParse(t, server.URL))
	do("John logs out", john, "POST", "/logout", form(csrf), "", 200)
	do("the token, which has not expired", stranger, "GET", "/whoami", nil, jwt, 401)
	jar.SetCookies(mustParse(t, server.URL), cookies)
	if who := do("a copy of the cookie", john, "GET", "/whoami", nil, "", 200); who != `""` {
		t.Errorf("by a copy of the cookie it is %s", who)
	}
	do("a form with a copy of the cookie", john, "POST", "/logout", form(csrf), "", 403)
}

// unknownCookie sends a cookie in the right shape that names no session.
type unknownCookie struct{}

func (unknownCookie) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.AddCookie(&http.Cookie{Name: counterfoil.LoopbackCookieName, Value: strings.Repeat("A", 64)})
	return http.DefaultTransport.RoundTrip(r)
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
