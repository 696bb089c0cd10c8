package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// The site of the README: log in, be known, log out, be nobody.
func TestSite(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	b := counterfoiltest.NewBrowser(t, site(sessions))
	want := func(what string, res *http.Response, status int, text string) {
		t.Helper()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != status || !strings.Contains(string(body), text) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", what, res.StatusCode, status, text, body)
		}
	}
	credentials := url.Values{"name": {"john"}, "password": {"correct horse battery staple"}}

	want("no session", b.Post("/login", credentials), 403, "no-session")
	want("first visit", b.Get("/"), 200, "Log in")
	want("wrong password", b.Post("/login", url.Values{"name": {"john"}, "password": {"open sesame"}}), 401, "wrong")
	want("login", b.Post("/login", credentials), 303, "")
	want("a form from before the login", b.Post("/logout", nil), 403, "csrf")
	want("logged in", b.Get("/"), 200, "Hello, john.")
	want("logout", b.Post("/logout", nil), 303, "")
	want("logged out", b.Get("/"), 200, "Log in")
}
