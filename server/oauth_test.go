package server_test

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil/server"
	clients "github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/storetest"
	"github.com/counterfoil/counterfoil/verify"
)

const orders = "https://orders.example.com"

// openOAuth is a site with tokens for orders, too, and status lists, and its store.
func openOAuth(t *testing.T) (*site, store.Store) {
	t.Helper()
	sessions := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, sessions.Close()) })
	return openSite(t, func(c *server.Config) {
		c.Sessions.Store = sessions
		c.Sessions.Resources = []string{orders}
		c.Sessions.StatusLists = true
	}), sessions
}

func basic(id, secret string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header
}

// ask sends a form with fields, alternately names and values.
func (s *site) ask(path string, header http.Header, fields ...string) reply {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	h := formHeader.Clone()
	for name, values := range header {
		h[name] = values
	}
	return s.withCookie("").do("POST", path, h, form.Encode())
}

// A signer is a client with a key.
type signer struct {
	t   *testing.T
	id  string
	key ed25519.PrivateKey
}

func (s *site) addSigner(t *testing.T, sessions store.Store, name string) signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public}}})
	check(t, err)
	keys, err := clients.ParseKeys(set)
	check(t, err)
	c, _, err := clients.Add(t.Context(), sessions, clients.Client{Name: name, Can: []clients.Capability{clients.Introspect}, Keys: keys})
	check(t, err)
	return signer{t, c.ID, private}
}

func (s signer) assertion(audience string) []string {
	s.t.Helper()
	now := time.Now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": s.id, "sub": s.id, "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text(),
	}).SignedString(s.key)
	check(s.t, err)
	return []string{"client_assertion_type", clients.AssertionType, "client_assertion", signed}
}

const inactive = `{"active":false}`

// RFC 7662 section 2.2: what an answer says, and that it says nothing of tokens
// that do not work.
func TestIntrospection(t *testing.T) {
	s, sessions := openOAuth(t)
	id, secret := s.addClient(sessions, "shop", clients.Introspect)
	us := basic(id, secret)
	grant := s.apiLogin()
	sid := grant.Session["id"].(string)

	access := s.ask("/v1/introspect", us, "token", grant.AccessToken)
	want(t, access, 200)
	if access.Header.Get("Cache-Control") != "no-store" || access.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", access.Header)
	}
	got := decode[map[string]any](t, access)
	for name, want := range map[string]any{
		"active": true, "sub": s.john.ID, "username": "john", "sid": sid, "iss": s.url, "token_type": "Bearer",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(grant.AccessToken, claims)
	check(t, err)
	for _, name := range []string{"exp", "iat", "jti", "auth_time"} {
		if got[name] == nil || got[name] != claims[name] {
			t.Errorf("%s is %v, and in the token %v", name, got[name], claims[name])
		}
	}
	if aud := got["aud"].([]any); len(aud) != 1 || aud[0] != s.url {
		t.Errorf("aud is %v", aud)
	}

	refresh := s.ask("/v1/introspect", us, "token", grant.RefreshToken, "token_type_hint", "refresh_token")
	got = decode[map[string]any](t, refresh)
	if got["active"] != true || got["sid"] != sid || got["exp"] == nil {
		t.Errorf("refresh token: %s", refresh.body)
	}
	if got["token_type"] != nil || got["aud"] != nil {
		t.Errorf("a refresh token looks like an access token: %s", refresh.body)
	}
	// The hint is no more than that (RFC 7662 section 2.1), and nothing is used up.
	for _, hint := range []string{"access_token", "refresh_token", "cookie"} {
		for _, token := range []string{grant.AccessToken, grant.RefreshToken} {
			if a := s.ask("/v1/introspect", us, "token", token, "token_type_hint", hint); decode[map[string]any](t, a)["active"] != true {
				t.Errorf("with the hint %s: %s", hint, a.body)
			}
		}
	}

	dead := []string{"x", grant.AccessToken + "x", strings.Repeat("A", 9000), s.loggedIn().cookie()}
	want(t, s.withCookie("").do("DELETE", "/v1/session", bearer(grant.AccessToken), ""), 204)
	for _, token := range append(dead, grant.AccessToken, grant.RefreshToken) {
		answer := s.ask("/v1/introspect", us, "token", token)
		if answer.StatusCode != 200 || answer.body != inactive {
			t.Errorf("%.12q: %s %s", token, answer.Status, answer.body)
		}
	}
}

// Each way in which a client may say who it is, and nothing else.
func TestClientAuthentication(t *testing.T) {
	s, sessions := openOAuth(t)
	id, secret := s.addClient(sessions, "shop", clients.Introspect)
	verifier, verifierSecret := s.addClient(sessions, "verifier", clients.Verify)
	signs := s.addSigner(t, sessions, "signs")
	other := s.addSigner(t, sessions, "other")
	token := s.apiLogin().AccessToken
	used := signs.assertion(s.url)
	for _, c := range []struct {
		why    string
		header http.Header
		fields []string
		status int
		code   string
	}{
		{"client_secret_basic", basic(id, secret), nil, 200, ""},
		{"with its id in the form, too", basic(id, secret), []string{"client_id", id}, 200, ""},
		{"client_secret_post", nil, []string{"client_id", id, "client_secret", secret}, 200, ""},
		{"private_key_jwt, for the issuer", nil, used, 200, ""},
		{"private_key_jwt, for the endpoint", nil, signs.assertion(s.url + "/v1/introspect"), 200, ""},
		{"private_key_jwt and its id", nil, append(signs.assertion(s.url), "client_id", signs.id), 200, ""},
		{"an assertion works once", nil, used, 401, "invalid_client"},
		{"an assertion for another endpoint", nil, signs.assertion(s.url + "/v1/revoke"), 401, "invalid_client"},
		{"an assertion of another client", nil, append(other.assertion(s.url), "client_id", signs.id), 401, "invalid_client"},
		{"an assertion of another type", nil, append([]string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, signs.assertion(s.url)[2:]...), 401, "invalid_client"},
		{"an assertion of no type", nil, signs.assertion(s.url)[2:], 401, "invalid_client"},
		{"a wrong secret", basic(id, secret+"x"), nil, 401, "invalid_client"},
		{"a wrong secret in the form", nil, []string{"client_id", id, "client_secret", secret + "x"}, 401, "invalid_client"},
		{"no secret", basic(id, ""), nil, 401, "invalid_client"},
		{"an empty secret in the form", nil, []string{"client_id", id, "client_secret", ""}, 401, "invalid_client"},
		{"an empty secret for a client with keys", nil, []string{"client_id", signs.id, "client_secret", ""}, 401, "invalid_client"},
		{"an id alone", nil, []string{"client_id", id}, 401, "invalid_client"},
		{"a secret alone", nil, []string{"client_secret", secret}, 401, "invalid_client"},
		{"nobody", nil, nil, 401, "invalid_client"},
		{"another's id in the form", basic(id, secret), []string{"client_id", verifier}, 401, "invalid_client"},
		{"a client may do what it was allowed", basic(verifier, verifierSecret), nil, 401, "invalid_client"},
		{"the token itself is no client", bearer(token), nil, 401, "invalid_client"},
		{"RFC 6749 section 2.3: one way at a time", basic(id, secret), []string{"client_id", id, "client_secret", secret}, 400, "invalid_request"},
		{"basic and an assertion", basic(id, secret), signs.assertion(s.url), 400, "invalid_request"},
		{"a secret and an assertion", nil, append(signs.assertion(s.url), "client_secret", secret), 400, "invalid_request"},
		{"two headers", http.Header{"Authorization": append(slices.Clone(basic(id, secret)["Authorization"]), basic(id, secret)["Authorization"]...)}, nil, 401, "invalid_client"},
		{"not form-urlencoded (RFC 6749 section 2.3.1)", http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":%zz"))}}, nil, 401, "invalid_client"},
		{"an id without an end", basic(strings.Repeat("c", 4096), secret), nil, 401, "invalid_client"},
	} {
		answer := s.ask("/v1/introspect", c.header, append(c.fields, "token", token)...)
		said := decode[oauthError](t, answer)
		if answer.StatusCode != c.status || said.Error != c.code || (said.Description != "") != (c.code == "invalid_request") {
			t.Errorf("%s: %s %s, want %d %s", c.why, answer.Status, answer.body, c.status, c.code)
		}
		if challenge := answer.Header.Get("WWW-Authenticate"); (answer.StatusCode == 401) != strings.HasPrefix(challenge, "Basic ") {
			t.Errorf("%s: WWW-Authenticate %q", c.why, challenge)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "event=client_refused client="+id) || !strings.Contains(log, "event=client_refused client=unreadable") {
		t.Error("who was refused does not stand in the log")
	}
	_, err := sessions.EndAll(t.Context(), time.Hour)
	check(t, err)
	if said := decode[oauthError](t, s.ask("/v1/introspect", nil, append(used, "token", token)...)); said.Error != "invalid_client" {
		t.Errorf("a used assertion, after everybody was logged out: %+v", said)
	}
	check(t, clients.Remove(t.Context(), sessions, "shop"))
	time.Sleep(5100 * time.Millisecond)
	want(t, s.ask("/v1/introspect", basic(id, secret), "token", token), 401)
}

// What is no request that RFC 7662 and RFC 7009 know is refused, and never
// answered with what a token is.
func TestOAuthBadInput(t *testing.T) {
	s, sessions := openOAuth(t)
	id, secret := s.addClient(sessions, "shop", clients.Introspect)
	token := s.apiLogin().AccessToken
	form := url.Values{"token": {token}, "client_id": {id}, "client_secret": {secret}}
	for _, path := range []string{"/v1/introspect", "/v1/revoke"} {
		for _, c := range []struct {
			why, method, query string
			header             http.Header
			body               string
			status             int
		}{
			{"GET would leave the token in logs", "GET", "?" + form.Encode(), nil, "", 405},
			{"a token in the URL", "POST", "?token=" + token, formHeader, form.Encode(), 400},
			{"anything in the URL", "POST", "?x", formHeader, form.Encode(), 400},
			{"JSON", "POST", "", jsonHeader, `{"token":"x"}`, 415},
			{"no content type", "POST", "", nil, form.Encode(), 415},
			{"another charset", "POST", "", http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-16"}}, form.Encode(), 415},
			{"two tokens", "POST", "", formHeader, form.Encode() + "&token=x", 400},
			{"a parameter twice", "POST", "", formHeader, form.Encode() + "&token_type_hint=a&token_type_hint=b", 400},
			{"no token", "POST", "", formHeader, url.Values{"client_id": {id}, "client_secret": {secret}}.Encode(), 400},
			{"an empty token", "POST", "", formHeader, url.Values{"token": {""}, "client_id": {id}, "client_secret": {secret}}.Encode(), 400},
			{"a huge form", "POST", "", formHeader, form.Encode() + "&x=" + strings.Repeat("x", 16<<10), 413},
			{"no UTF-8", "POST", "", formHeader, form.Encode() + "&x=%ff", 400},
			{"a broken escape", "POST", "", formHeader, form.Encode() + "&x=%", 400},
			{"a semicolon", "POST", "", formHeader, form.Encode() + ";x=1", 400},
		} {
			answer := s.withCookie("").do(c.method, path+c.query, c.header, c.body)
			if answer.StatusCode != c.status || strings.Contains(answer.body, "active") {
				t.Errorf("%s: %s: %s %s, want %d", path, c.why, answer.Status, answer.body, c.status)
			}
			if answer.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %s: Cache-Control %q", path, c.why, answer.Header.Get("Cache-Control"))
			}
		}
	}
	want(t, s.withCookie("").do("GET", "/v1/session", bearer(token), ""), 200)
}

// A client with an audience learns of tokens for that, and of nothing else.
func TestIntrospectionForAnAudience(t *testing.T) {
	s, sessions := openOAuth(t)
	us, usSecret := s.addClient(sessions, "everything", clients.Introspect)
	limited, limitedSecret, err := clients.Add(t.Context(), sessions, clients.Client{Name: "orders", Can: []clients.Capability{clients.Introspect}, Audience: []string{orders}})
	check(t, err)
	grant := decode[grant](t, s.newClient().postJSON("/v1/login", map[string]string{"username": "john", "password": password, "resource": orders}))
	ours := s.apiLogin().AccessToken
	for _, c := range []struct {
		why, token      string
		mayAll, mayThis bool
	}{
		{"its own", grant.AccessToken, true, true},
		{"one for the server", ours, true, false},
		{"a refresh token is the program's that has it", grant.RefreshToken, true, false},
	} {
		all := s.ask("/v1/introspect", basic(us, usSecret), "token", c.token)
		this := s.ask("/v1/introspect", basic(limited.ID, limitedSecret), "token", c.token)
		if (all.body != inactive) != c.mayAll || (this.body != inactive) != c.mayThis {
			t.Errorf("%s: %s, and with an audience %s", c.why, all.body, this.body)
		}
	}
}

// RFC 8707, RFC 9068: a token for another service is refused here, and accepted
// there, by whichever way it was asked for.
func TestTokensForAResource(t *testing.T) {
	s, sessions := openOAuth(t)
	id, secret := s.addClient(sessions, "orders", clients.Verify)
	v, err := verify.New(t.Context(), verify.Config{Issuer: s.url, Audience: orders, ClientID: id, ClientSecret: secret, Policy: verify.Strict})
	check(t, err)
	t.Cleanup(func() { check(t, v.Close()) })
	check(t, v.Ready(t.Context()))

	login := decode[grant](t, s.newClient().postJSON("/v1/login", map[string]string{"username": "john", "password": password, "resource": orders}))
	refreshed := decode[grant](t, s.ask("/v1/token", nil, "grant_type", "refresh_token", "refresh_token", login.RefreshToken, "resource", orders))
	browser := s.loggedIn()
	csrf := http.Header{"X-Csrf-Token": {browser.token("/account")}}
	withType := func(kind http.Header) http.Header {
		h := csrf.Clone()
		for name, v := range kind {
			h[name] = v
		}
		return h
	}
	form := decode[grant](t, browser.do("POST", "/v1/session/token", withType(formHeader), "resource="+url.QueryEscape(orders)))
	object := decode[grant](t, browser.do("POST", "/v1/session/token", withType(jsonHeader), `{"resource":"`+orders+`"}`))
	for way, token := range map[string]string{
		"login": login.AccessToken, "refresh": refreshed.AccessToken, "session by form": form.AccessToken, "session by JSON": object.AccessToken,
	} {
		if _, err := v.Check(t.Context(), token); err != nil {
			t.Errorf("%s: the service refuses its own token: %v", way, err)
		}
		want(t, s.withCookie("").do("GET", "/v1/session", bearer(token), ""), 401)
		want(t, s.withCookie("").do("DELETE", "/v1/session", bearer(token), ""), 401)
	}
	ours := decode[grant](t, browser.do("POST", "/v1/session/token", csrf, "")).AccessToken
	want(t, s.withCookie("").do("GET", "/v1/session", bearer(ours), ""), 200)
	if _, err := v.Check(t.Context(), ours); err == nil {
		t.Error("the service accepts a token for the server")
	}

	for _, resource := range []string{"https://elsewhere.example", orders + "/", s.url + "x"} {
		answer := s.ask("/v1/token", nil, "grant_type", "refresh_token", "refresh_token", refreshed.RefreshToken, "resource", resource)
		if answer.StatusCode != 400 || answer.body != `{"error":"invalid_target"}` {
			t.Errorf("%s: %s %s", resource, answer.Status, answer.body)
		}
		want(t, s.newClient().postJSON("/v1/login", map[string]string{"username": "john", "password": password, "resource": resource}), 400)
		want(t, browser.do("POST", "/v1/session/token", withType(formHeader), "resource="+url.QueryEscape(resource)), 400)
	}
	for _, c := range []struct {
		why, body string
		header    http.Header
		status    int
	}{
		{"two resources", "resource=" + url.QueryEscape(orders) + "&resource=x", formHeader, 400},
		{"a huge list", strings.Repeat("resource=x&", 1000), formHeader, 400},
		{"a list", `{"resource":["` + orders + `"]}`, jsonHeader, 400},
		{"no text", `{"resource":null}`, jsonHeader, 400},
		{"another content type", "x", http.Header{"Content-Type": {"text/plain"}}, 415},
		{"an empty object", "{}", jsonHeader, 200},
	} {
		if answer := browser.do("POST", "/v1/session/token", withType(c.header), c.body); answer.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.why, answer.Status, c.status)
		}
	}
	if answer := s.ask("/v1/token", nil, "grant_type", "refresh_token", "refresh_token", refreshed.RefreshToken, "resource", orders, "resource", orders); answer.StatusCode != 400 {
		t.Errorf("two resources: %s", answer.Status)
	}
	want(t, s.ask("/v1/token", nil, "grant_type", "refresh_token", "refresh_token", refreshed.RefreshToken), 200)
}

// RFC 7009: whoever holds a token may revoke it. Then nothing of its session works,
// and the answer tells nothing.
func TestRevocation(t *testing.T) {
	s, sessions := openOAuth(t)
	id, secret := s.addClient(sessions, "shop", clients.Introspect)
	verifier, verifierSecret := s.addClient(sessions, "verifier", clients.Verify)
	signs := s.addSigner(t, sessions, "signs")
	v := s.verifier(verifier, verifierSecret, verify.Strict)
	check(t, v.Ready(t.Context()))
	for _, c := range []struct {
		why    string
		header http.Header
		fields []string
		pick   func(grant) string
	}{
		{"a program that is not registered, with an access token", nil, nil, func(g grant) string { return g.AccessToken }},
		{"with a refresh token", nil, []string{"token_type_hint", "refresh_token"}, func(g grant) string { return g.RefreshToken }},
		{"with a name of its own", nil, []string{"client_id", "my app"}, func(g grant) string { return g.RefreshToken }},
		{"with a wrong hint", nil, []string{"token_type_hint", "access_token"}, func(g grant) string { return g.RefreshToken }},
		{"a registered client", basic(id, secret), nil, func(g grant) string { return g.AccessToken }},
		{"one that may do something else", basic(verifier, verifierSecret), nil, func(g grant) string { return g.AccessToken }},
		{"one with a key", nil, signs.assertion(s.url), func(g grant) string { return g.RefreshToken }},
	} {
		g := s.apiLogin()
		if _, err := v.Check(t.Context(), g.AccessToken); err != nil {
			t.Fatal(err)
		}
		answer := s.ask("/v1/revoke", c.header, append(c.fields, "token", c.pick(g))...)
		revoked := time.Now()
		if answer.StatusCode != 200 || answer.body != "" || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s %s", c.why, answer.Status, answer.body)
		}
		want(t, s.withCookie("").do("GET", "/v1/session", bearer(g.AccessToken), ""), 401)
		want(t, s.ask("/v1/token", nil, "grant_type", "refresh_token", "refresh_token", g.RefreshToken), 400)
		for _, token := range []string{g.AccessToken, g.RefreshToken} {
			if a := s.ask("/v1/introspect", basic(id, secret), "token", token); a.body != inactive {
				t.Errorf("%s: introspection says %s", c.why, a.body)
			}
		}
		for {
			if _, err := v.Check(t.Context(), g.AccessToken); errors.Is(err, verify.ErrEnded) {
				break
			}
			if time.Since(revoked) > 3*time.Second {
				t.Fatalf("%s: a verifier accepts it after the bound", c.why)
			}
			time.Sleep(time.Millisecond)
		}
		for _, token := range []string{c.pick(g), "x", g.AccessToken + "x"} {
			if again := s.ask("/v1/revoke", nil, "token", token); again.StatusCode != 200 || again.body != "" {
				t.Errorf("%s: again: %s %s", c.why, again.Status, again.body)
			}
		}
	}

	// The session of a browser, by the token that it asked for.
	browser := s.loggedIn()
	token := decode[grant](t, browser.do("POST", "/v1/session/token", http.Header{"X-Csrf-Token": {browser.token("/account")}}, "")).AccessToken
	want(t, s.ask("/v1/revoke", nil, "token", token), 200)
	want(t, browser.get("/v1/session"), 401)

	// Who says that he is a client has to prove it, and then nothing has happened.
	g := s.apiLogin()
	for why, answer := range map[string]reply{
		"a wrong secret":        s.ask("/v1/revoke", basic(id, secret+"x"), "token", g.AccessToken),
		"a registered id alone": s.ask("/v1/revoke", nil, "token", g.AccessToken, "client_id", id),
		"a bearer token":        s.ask("/v1/revoke", bearer(g.AccessToken), "token", g.AccessToken),
	} {
		if answer.StatusCode != 401 || answer.body != `{"error":"invalid_client"}` || answer.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %s %s", why, answer.Status, answer.body)
		}
	}
	want(t, s.withCookie("").do("GET", "/v1/session", bearer(g.AccessToken), ""), 200)
}

// "Never inactive" where the store can't be asked: a resource server would throw a
// good token away.
func TestOAuthWithoutTheStore(t *testing.T) {
	var down atomic.Bool
	inner := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, inner.Close()) })
	s := openSite(t, func(c *server.Config) {
		c.Sessions.Bound = -1
		c.Sessions.Store = storetest.Faulty{Store: inner, Fault: func(string) storetest.Fault {
			if down.Load() {
				return storetest.Fault{Err: errors.New("the disk is gone")}
			}
			return storetest.Fault{}
		}}
	})
	id, secret := s.addClient(inner, "shop", clients.Introspect)
	signs := s.addSigner(t, inner, "signs")
	g := s.apiLogin()
	want(t, s.ask("/v1/introspect", basic(id, secret), "token", g.AccessToken), 200)
	down.Store(true)
	for why, answer := range map[string]reply{
		"an access token":     s.ask("/v1/introspect", basic(id, secret), "token", g.AccessToken),
		"a refresh token":     s.ask("/v1/introspect", basic(id, secret), "token", g.RefreshToken),
		"a client that signs": s.ask("/v1/introspect", nil, append(signs.assertion(s.url), "token", g.AccessToken)...),
		"a revocation":        s.ask("/v1/revoke", nil, "token", g.AccessToken),
		"by refresh token":    s.ask("/v1/revoke", nil, "token", g.RefreshToken),
	} {
		if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || answer.body != `{"error":"temporarily_unavailable"}` {
			t.Errorf("%s: %s %s", why, answer.Status, answer.body)
		}
	}
	down.Store(false)
	want(t, s.withCookie("").do("GET", "/v1/session", bearer(g.AccessToken), ""), 200)
}

// An oauthError is what RFC 6749 section 5.2 has.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// TestMistakeIn: whoever writes a client is told what to send instead.
func TestMistakeIn(t *testing.T) {
	s := openSite(t)
	for _, c := range []struct {
		why, query, contentType, body string
		says                          string
	}{
		{"a token in a URL would stand in logs", "?token=x", "", "token=x", "none into the URL"},
		{"RFC 7662 section 2.1 has a form", "", "application/json", `{"token":"x"}`, "Send a form"},
		{"16 KiB at most", "", "", "token=" + strings.Repeat("x", 20<<10), "too large"},
		{"each field once", "", "", "token=x&token=y", "each once"},
	} {
		header := http.Header{"Content-Type": {cmp.Or(c.contentType, "application/x-www-form-urlencoded")}}
		for _, path := range []string{"/v1/introspect", "/v1/revoke"} {
			answer := s.withCookie("").do("POST", path+c.query, header, c.body)
			if said := decode[oauthError](t, answer); said.Error != "invalid_request" || !strings.Contains(said.Description, c.says) {
				t.Errorf("%s: %s answers %s", c.why, path, answer.body)
			}
		}
	}
}

// A verifier for a resource that has no lease asks about its tokens, too: here its
// client may not follow the log. It is never told 401 because the server takes no
// token for another service: clients would throw good ones away.
func TestVerifierForAResourceAsks(t *testing.T) {
	s, sessions := openOAuth(t)
	without := func(name string, can clients.Capability) *verify.Verifier {
		id, secret := s.addClient(sessions, name, can)
		v, err := verify.New(t.Context(), verify.Config{Issuer: s.url, Audience: orders, ClientID: id, ClientSecret: secret, Logger: slog.New(slog.DiscardHandler)})
		check(t, err)
		t.Cleanup(func() { check(t, v.Close()) })
		return v
	}
	mayAsk, mayNot := without("asks", clients.Introspect), without("polls", clients.Poll)
	login := map[string]string{"username": "john", "password": password, "resource": orders}
	token := decode[grant](t, s.newClient().postJSON("/v1/login", login)).AccessToken
	if _, err := mayAsk.Check(t.Context(), token); err != nil {
		t.Errorf("a good token: %v", err)
	}
	if _, err := mayNot.Check(t.Context(), token); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("who may not ask can't tell: %v", err)
	}
	if _, err := mayAsk.Check(t.Context(), s.apiLogin().AccessToken); !errors.Is(err, verify.ErrInvalid) {
		t.Errorf("a token for the server: %v", err)
	}
	want(t, s.ask("/v1/revoke", nil, "token", token), 200)
	if _, err := mayAsk.Check(t.Context(), token); !errors.Is(err, verify.ErrEnded) {
		t.Errorf("after the logout: %v", err)
	}
	if _, err := mayNot.Check(t.Context(), token); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("after the logout, who may not ask: %v", err)
	}
}
