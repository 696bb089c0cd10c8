package server_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	clients "github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store/memory"
)

// BenchmarkSession is a program that asks who it is, by a token, without the
// socket.
func BenchmarkSession(b *testing.B) {
	s := openSite(b)
	r := httptest.NewRequest(http.MethodGet, s.url+"/v1/session", nil)
	r.Header = bearer(s.apiLogin().AccessToken)
	h, w := s.server.Handler(), httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		w.Body.Reset()
		clear(w.Header())
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

// BenchmarkRenew is one renewal of a verifier, without the socket: what the
// server takes for each, five times a bound.
func BenchmarkRenew(b *testing.B) {
	const url = "http://localhost:8080"
	sessions := memory.New(memory.Config{})
	s, err := server.New(server.Config{
		Sessions: counterfoil.Config{Store: sessions, PublicURL: url},
		Accounts: openAccounts(b),
		Logger:   slog.New(slog.DiscardHandler),
	})
	check(b, err)
	defer func() { check(b, s.Close()) }()
	c, secret, err := clients.Add(b.Context(), sessions, clients.Client{Name: "shop", Can: []clients.Capability{clients.Verify}})
	check(b, err)
	body := `{"follower":"000102030405060708090a0b0c0d0e0f","nonce":"101112131415161718191a1b1c1d1e1f","after":{"pos":0,"id":"00000000000000000000000000000000"},"limit":1024}`
	ask := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, url+"/v1/feed/renew", strings.NewReader(body))
		r.SetBasicAuth(c.ID, secret)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	var answer struct{ Head json.RawMessage }
	for answer.Head == nil { // until the node can prove something
		if w := ask(); w.Code == http.StatusOK {
			check(b, json.Unmarshal(w.Body.Bytes(), &answer))
		}
	}
	body = `{"follower":"000102030405060708090a0b0c0d0e0f","nonce":"101112131415161718191a1b1c1d1e1f","after":` + string(answer.Head) + `,"limit":1024}`
	b.ReportAllocs()
	for b.Loop() {
		if w := ask(); w.Code != http.StatusOK {
			text, _ := io.ReadAll(w.Body)
			b.Fatalf("%d %s", w.Code, text)
		}
	}
}
