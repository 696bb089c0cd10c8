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

// The site of the README, with a browser: log in, be known, log out, be nobody.
func TestSite(t *testing.T) {
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
	browser := &http.Client{Jar: jar}

	wantPage := func(what string, res *http.Response, err error, status int, text string) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != status || !strings.Contains(string(body), text) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", what, res.StatusCode, status, text, body)
		}
		return string(body)
	}
	open := func(what, text string) (csrf string) {
		t.Helper()
		res, err := browser.Get(server.URL)
		field := csrfField.FindStringSubmatch(wantPage(what, res, err, 200, text))
		if field == nil {
			t.Fatalf("%s: no CSRF field", what)
		}
		return field[1]
	}
	post := func(what, path, csrf, password string, status int, text string) {
		t.Helper()
		res, err := browser.PostForm(server.URL+path, url.Values{"csrf_token": {csrf}, "name": {"john"}, "password": {password}})
		wantPage(what, res, err, status, text)
	}

	csrf := open("first visit", "Log in")
	post("no token", "/login", "", "correct horse battery staple", 403, "csrf")
	post("wrong password", "/login", csrf, "open sesame", 401, "wrong")
	post("login", "/login", csrf, "correct horse battery staple", 200, "Hello, john.")
	csrf = open("logged in", "Hello, john.")
	post("logout", "/logout", csrf, "", 200, "Log in")
	post("a form from before the logout", "/logout", csrf, "", 403, "csrf")
}
