package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/examples/internal/exampletest"
)

// The site of the README: log in, be known, log out, be nobody.
func TestSite(t *testing.T) {
	b := exampletest.Open(t, site)
	wants := func(what, page, text string) {
		t.Helper()
		if !strings.Contains(page, text) {
			t.Errorf("%s: want %q in\n%s", what, text, page)
		}
	}
	form := func(csrf, password string) url.Values {
		return url.Values{"csrf_token": {csrf}, "name": {"john"}, "password": {password}}
	}
	const password = "correct horse battery staple"

	csrf := b.CSRF("/")
	wants("no token", b.Post("/login", form("", password), 403), "csrf")
	wants("wrong password", b.Post("/login", form(csrf, "open sesame"), 401), "wrong")
	wants("login", b.Post("/login", form(csrf, password), 200), "Hello, john.")
	csrf = b.CSRF("/")
	wants("logout", b.Post("/logout", form(csrf, ""), 200), "Log in")
	wants("a form from before the logout", b.Post("/logout", form(csrf, ""), 403), "csrf")
}
