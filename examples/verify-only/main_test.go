package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/verify"
)

const password = "purple otters juggle 9 lamps"

// A token of the server is good here, until its session ends there.
func TestService(t *testing.T) {
	issuer, id, secret := startServer(t)
	verifier, err := verify.New(t.Context(), verify.Config{Issuer: issuer, ClientID: id, ClientSecret: secret})
	check(t, err)
	t.Cleanup(func() { check(t, verifier.Close()) })
	ready, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	check(t, verifier.Ready(ready))
	orders := httptest.NewServer(service(verifier))
	defer orders.Close()

	token := logIn(t, issuer)
	if status, body := send(t, "GET", orders.URL+"/orders", token); status != 200 || body != "john has no orders yet\n" {
		t.Errorf("with a token: %d %q", status, body)
	}
	if status, _ := send(t, "GET", orders.URL+"/orders", ""); status != 401 {
		t.Errorf("without one: %d", status)
	}
	if status, _ := send(t, "DELETE", issuer+"/v1/session?wait=everywhere", token); status != 204 {
		t.Fatalf("logout: %d", status)
	}
	// The logout has waited for this service, too.
	if status, _ := send(t, "GET", orders.URL+"/orders", token); status != 401 {
		t.Errorf("after the logout: %d", status)
	}
}

func startServer(t *testing.T) (url, id, secret string) {
	t.Helper()
	accounts, err := account.Open(t.Context(), filepath.Join(t.TempDir(), "accounts.db"), account.Config{})
	check(t, err)
	t.Cleanup(func() { check(t, accounts.Close()) })
	_, err = accounts.Add(t.Context(), "john", password)
	check(t, err)
	sessions := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, sessions.Close()) })
	c, secret, err := client.Add(t.Context(), sessions, client.Client{Name: "orders", Can: []client.Capability{client.Verify}})
	check(t, err)

	listener, err := net.Listen("tcp", "localhost:0")
	check(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	check(t, err)
	url = "http://localhost:" + port
	s, err := server.New(server.Config{
		Sessions: counterfoil.Config{PublicURL: url, Store: sessions},
		Accounts: accounts,
		Logger:   slog.New(slog.DiscardHandler),
	})
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		serving.Wait()
		check(t, s.Close())
	})
	return url, c.ID, secret
}

func logIn(t *testing.T, issuer string) (token string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": "john", "password": password})
	check(t, err)
	answer, err := http.Post(issuer+"/v1/login", "application/json", bytes.NewReader(body))
	check(t, err)
	defer answer.Body.Close()
	var grant struct {
		AccessToken string `json:"access_token"`
	}
	check(t, json.NewDecoder(answer.Body).Decode(&grant))
	return grant.AccessToken
}

func send(t *testing.T, method, url, token string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	check(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	check(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(t, err)
	return answer.StatusCode, string(text)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
