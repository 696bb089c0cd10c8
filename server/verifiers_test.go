package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server"
	clients "github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/verify"
)

// openSiteWithStore is openSite on a store in memory that the test has, too.
func openSiteWithStore(t *testing.T) (*site, store.Store) {
	t.Helper()
	sessions := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, sessions.Close()) })
	return openSite(t, func(c *server.Config) { c.Sessions.Store = sessions }), sessions
}

func (s *site) addClient(sessions store.Store, name string, can ...clients.Capability) (id, secret string) {
	s.t.Helper()
	c, secret, err := clients.Add(s.t.Context(), sessions, clients.Client{Name: name, Can: can})
	check(s.t, err)
	s.secrets.add(secret)
	return c.ID, secret
}

func (s *site) verifier(id, secret string, p verify.Policy) *verify.Verifier {
	s.t.Helper()
	v, err := verify.New(s.t.Context(), verify.Config{Issuer: s.url, ClientID: id, ClientSecret: secret, Policy: p, Logger: slog.New(slog.NewTextHandler(s.log, nil))})
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, v.Close()) })
	return v
}

// TestVerifier: another service accepts the server's tokens by itself, and
// refuses them soon after the logout.
func TestVerifier(t *testing.T) {
	s, sessions := openSiteWithStore(t)
	id, secret := s.addClient(sessions, "shop", clients.Verify)
	v := s.verifier(id, secret, verify.Strict)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	check(t, v.Ready(ctx))

	var worst time.Duration
	for range 5 {
		token := s.apiLogin().AccessToken
		claims, err := v.Check(ctx, token)
		check(t, err)
		if claims.Username != "john" || claims.Subject != s.john.ID {
			t.Fatalf("claims %+v", claims)
		}
		want(t, s.withCookie("").do("DELETE", "/v1/session", bearer(token), ""), 204)
		loggedOut := time.Now()
		for {
			if _, err = v.Check(ctx, token); err != nil {
				break
			}
			if time.Since(loggedOut) > 3*time.Second {
				t.Fatal("the token of a session that has ended is accepted for longer than the bound")
			}
		}
		if !errors.Is(err, verify.ErrEnded) {
			t.Fatalf("after the logout: %v", err)
		}
		worst = max(worst, time.Since(loggedOut))
	}
	t.Logf("after the logout's answer it was accepted for %v at most", worst)

	// ?wait=everywhere: when it has answered, no verifier accepts the token.
	token := s.apiLogin().AccessToken
	want(t, s.withCookie("").do("DELETE", "/v1/session?wait=everywhere", bearer(token), ""), 204)
	if _, err := v.Check(ctx, token); !errors.Is(err, verify.ErrEnded) {
		t.Errorf("after a logout everywhere: %v", err)
	}

	// The server ends: the stream does not keep it, and the lease runs out.
	token = s.apiLogin().AccessToken
	if _, err := v.Check(ctx, token); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	s.stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took the server %v to stop", took)
	}
	time.Sleep(time.Until(begun.Add(2500 * time.Millisecond)))
	if _, err := v.Check(ctx, token); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("a bound after the server's end: %v", err)
	}
}

// The routes of the feed are for clients that may verify.
func TestFeedNeedsAClient(t *testing.T) {
	s, sessions := openSiteWithStore(t)
	id, secret := s.addClient(sessions, "shop", clients.Verify)
	asker, askerSecret := s.addClient(sessions, "proxy", clients.Introspect)
	gone, goneSecret := s.addClient(sessions, "gone", clients.Verify)
	check(t, clients.Remove(t.Context(), sessions, "gone"))
	for _, c := range []struct {
		why, id, secret string
		status          int
	}{
		{"a client that may verify is let in", id, secret, 200},
		{"the secret is compared", id, secret + "x", 401},
		{"no secret is no secret", id, "", 401},
		{"another client's secret is not its own", id, askerSecret, 401},
		{"a client may do what it was allowed", asker, askerSecret, 401},
		{"an id that is not known", "c_aaaaaaaaaaaaaaaaaaaaaaaaaa", secret, 401},
		{"a client that was removed", gone, goneSecret, 401},
		{"nobody", "", "", 401},
		{"an id without an end", strings.Repeat("c", 4096), secret, 401},
	} {
		for _, path := range []string{"/v1/feed/snapshot", "/v1/feed", "/v1/feed/renew"} {
			method := http.MethodGet
			if path == "/v1/feed/renew" {
				method = http.MethodPost
			} else if path == "/v1/feed" {
				method = http.MethodHead // whoever is let in would be kept
			}
			r, err := http.NewRequest(method, s.url+path, nil)
			check(t, err)
			r.SetBasicAuth(c.id, c.secret)
			res, err := http.DefaultTransport.RoundTrip(r)
			check(t, err)
			res.Body.Close()
			status := c.status
			if status == 200 && method == http.MethodPost {
				status = 415 // let in, and told what it takes
			}
			if res.StatusCode != status {
				t.Errorf("%s: %s %s: %s, want %d", c.why, method, path, res.Status, status)
			}
			if challenge := res.Header.Get("WWW-Authenticate"); (res.StatusCode == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("%s: %s: WWW-Authenticate %q", c.why, res.Status, challenge)
			}
		}
	}
}
