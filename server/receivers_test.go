package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil/server"
	clients "github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store/memory"
)

// verified checks a token as anybody may who has the server's JWKS.
func (s *site) verified(signed string) jwt.MapClaims {
	s.t.Helper()
	var set jose.JSONWebKeySet
	check(s.t, json.Unmarshal([]byte(s.newClient().get("/.well-known/jwks.json").body), &set))
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"})).Parse(signed, func(t *jwt.Token) (any, error) {
		for _, key := range set.Key(t.Header["kid"].(string)) {
			return key.Key, nil
		}
		return nil, errors.New("no such key")
	})
	check(s.t, err)
	return parsed.Claims.(jwt.MapClaims)
}

// newReceiver returns a receiver of logout tokens, and what it gets.
func newReceiver(t *testing.T) (address string, told <-chan string) {
	tokens := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		check(t, err)
		form, err := url.ParseQuery(string(body))
		check(t, err)
		tokens <- form.Get("logout_token")
	}))
	t.Cleanup(receiver.Close)
	return receiver.URL, tokens
}

func TestReceiversAreToldOfLogouts(t *testing.T) {
	address, told := newReceiver(t)
	sessions := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, sessions.Close()) })
	app, _, err := clients.Add(t.Context(), sessions, clients.Client{Name: "app", LogoutURL: address})
	check(t, err)
	siem, secret, err := clients.Add(t.Context(), sessions, clients.Client{Name: "siem", Can: []clients.Capability{clients.Poll}})
	check(t, err)
	s := openSite(t, func(c *server.Config) {
		c.Sessions.Store = sessions
		c.ReceiverNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	s.secrets.add(secret)
	john := s.apiLogin()
	session := john.Session["id"].(string)
	want(t, s.newClient().do("DELETE", "/v1/session", bearer(john.AccessToken), ""), 204)

	select {
	case signed := <-told:
		claims := s.verified(signed)
		if claims["sid"] != session || claims["aud"] != app.ID || claims["iss"] != s.url {
			t.Errorf("after the logout of %s the app is told %v", session, claims)
		}
	case <-time.After(10 * time.Second):
		t.Error("the app is told nothing")
	}

	poll := func(id, secret, contentType, body string) (int, map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/events/poll", strings.NewReader(body))
		check(t, err)
		r.SetBasicAuth(id, secret)
		r.Header.Set("Content-Type", contentType)
		answer, err := http.DefaultClient.Do(r)
		check(t, err)
		defer answer.Body.Close()
		var got map[string]any
		check(t, json.NewDecoder(answer.Body).Decode(&got))
		return answer.StatusCode, got
	}
	status, got := poll(siem.ID, secret, "application/json", `{"maxEvents":10}`)
	sets, _ := got["sets"].(map[string]any)
	if status != 200 || len(sets) != 1 {
		t.Fatalf("the events are %d %v", status, got)
	}
	var jti string
	for id, signed := range sets {
		jti = id
		if claims := s.verified(signed.(string)); claims["aud"] != siem.ID {
			t.Errorf("an event for %v", claims["aud"])
		}
	}
	if status, got := poll(siem.ID, secret, "application/json", `{"returnImmediately":true,"ack":["`+jti+`"]}`); status != 200 || len(got["sets"].(map[string]any)) != 0 {
		t.Errorf("after it was acknowledged: %d %v", status, got)
	}
	for _, c := range []struct {
		why               string
		id, secret        string
		contentType, body string
		want              int
	}{
		{"a wrong secret", siem.ID, "wrong", "application/json", `{}`, 401},
		{"a client that may not", app.ID, secret, "application/json", `{}`, 401},
		{"a form", siem.ID, secret, "application/x-www-form-urlencoded", `{}`, 415},
		{"no JSON", siem.ID, secret, "application/json", `{`, 400},
		{"a negative number of events", siem.ID, secret, "application/json", `{"maxEvents":-1}`, 400},
		{"a huge number of events", siem.ID, secret, "application/json", `{"maxEvents":1e99}`, 400},
		{"a body without end", siem.ID, secret, "application/json", `{"ack":["` + strings.Repeat("x", 300<<10) + `"]}`, 413},
	} {
		if status, _ := poll(c.id, c.secret, c.contentType, c.body); status != c.want {
			t.Errorf("%s: %d, want %d", c.why, status, c.want)
		}
	}
}
