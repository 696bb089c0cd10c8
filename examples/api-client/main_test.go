package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
)

// The client talks to a real server.
func TestRoundTrip(t *testing.T) {
	accounts, err := account.Open(t.Context(), filepath.Join(t.TempDir(), "accounts.db"), account.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer accounts.Close()
	const password = "correct horse battery staple"
	if _, err := accounts.Add(t.Context(), "john", password); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	s, err := server.New(server.Config{
		Sessions: counterfoil.Config{PublicURL: url},
		Accounts: accounts,
		Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx, listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	defer func() {
		stop()
		serving.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()

	var told strings.Builder
	if err := roundTrip(t.Context(), &told, url, "john", password); err != nil {
		t.Fatal(err)
	}
	want := `logged in; the access token lives 600 seconds
the session is john's
refreshed
logged out
the access token now: GET /v1/session: 401 .*invalid-token.*
the refresh token now: POST /v1/token: 400 .*invalid_grant.*
`
	if !regexp.MustCompile("^" + want + "$").MatchString(told.String()) {
		t.Errorf("it told:\n%s", told.String())
	}

	if err := roundTrip(t.Context(), io.Discard, url, "john", "wrong"); err == nil || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("with a wrong password: %v", err)
	}
}
