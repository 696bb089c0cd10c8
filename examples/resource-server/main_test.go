package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store/memory"
)

// The service asks a real server: it greets who is logged in, and nobody else.
func TestService(t *testing.T) {
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	accounts, err := account.Open(t.Context(), filepath.Join(t.TempDir(), "accounts.db"), account.Config{})
	check(err)
	defer accounts.Close()
	sessions := memory.New(memory.Config{})
	defer sessions.Close()
	var handler http.Handler
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer site.Close()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := server.New(server.Config{
		Sessions: counterfoil.Config{PublicURL: site.URL, Store: sessions, Secret: &[32]byte{1}},
		Accounts: accounts,
		Logger:   log,
	})
	check(err)
	defer s.Close()
	handler = s.Handler()
	shop, secret, err := client.Add(t.Context(), sessions, client.Client{Name: "shop", Can: []client.Capability{client.Introspect}})
	check(err)

	// A second manager on the store logs in, and out.
	m, err := counterfoil.New(counterfoil.Config{PublicURL: site.URL, Store: sessions, Secret: &[32]byte{1}, Logger: log})
	check(err)
	defer m.Close()
	grant, err := m.LoginClient(t.Context(), counterfoil.Login{User: "u1", Name: "john"}, counterfoil.Client{})
	check(err)

	greets := newService(site.URL, shop.ID, secret)
	visit := func(why string, to *service, authorization string, status int, body string) {
		t.Helper()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		to.ServeHTTP(w, r)
		if w.Code != status || w.Body.String() != body {
			t.Errorf("%s: %d %q, want %d %q", why, w.Code, w.Body, status, body)
		}
	}
	visit("an access token", greets, "Bearer "+grant.Token, 200, "hello john\n")
	visit("a refresh token", greets, "Bearer "+grant.RefreshToken, 401, "log in\n")
	visit("nobody", greets, "", 401, "log in\n")
	visit("an invention", greets, "Bearer x", 401, "log in\n")
	visit("a service that is not registered can't tell", newService(site.URL, shop.ID, "x"), "Bearer "+grant.Token, 503, "try again\n")
	check(m.Revoke(t.Context(), grant.RefreshToken))
	visit("after the logout", greets, "Bearer "+grant.Token, 401, "log in\n")
}
