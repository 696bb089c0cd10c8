package counterfoil_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
)

// RFC 9068: what an access token says, read by somebody who only has our keys.
func TestAccessTokenClaims(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	grant, err := s.LoginClient(t.Context(), counterfoil.Login{User: "u1", Name: "john", Methods: []string{"pwd", "otp"}}, counterfoil.Client{})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	s.JWKS().ServeHTTP(rec, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	keys, err := jwk.Parse(rec.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwxt.Parse([]byte(grant.Token), jwxt.WithKeySet(keys)); err != nil {
		t.Fatalf("jwx refuses it: %v", err)
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(grant.Token, claims); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"iss": publicURL, "sub": "u1", "preferred_username": "john", "sid": grant.Session.ID(),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	for _, name := range []string{"jti", "iat", "exp", "auth_time", "amr", "aud"} {
		if claims[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, key := range strings.Split(rec.Body.String(), ",") {
		if strings.Contains(key, `"d"`) {
			t.Error("a private key is published")
		}
	}
}

// D12: whatever is done to a token, it is that session's or nobody's.
func TestForgedTokens(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	john := s.client("john")
	parts := strings.Split(john.Token, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), `"john"`, `"root"`, 1)))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	for _, c := range []struct{ why, token string }{
		{"empty", ""},
		{"junk", "junk"},
		{"9.1.1: another payload under the signature", parts[0] + "." + forged + "." + parts[2]},
		{"9.1.2: alg none", none + "." + parts[1] + "."},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"a fourth part", john.Token + ".x"},
		{"CVE-2025-30204: many dots", strings.Repeat(".", 1<<20)},
		{"padded base64", john.Token + "="},
		{"a trailing blank", john.Token + " "},
		{"9.2.2: a refresh token", john.RefreshToken},
		{"another site's token", newSite(t, counterfoil.Config{}).client("john").Token},
	} {
		t.Run(c.why, func(t *testing.T) {
			res := s.bearer(c.token)
			wantStatus(t, c.why, res, 401)
			if got := res.Header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
				t.Errorf("WWW-Authenticate is %q", got)
			}
			if _, err := s.CheckToken(t.Context(), c.token); !errors.Is(err, counterfoil.ErrInvalidToken) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A bearer token is judged alone: a good cookie does not save a bad token, and
// a request with a token needs no CSRF token.
func TestBearerIgnoresCookies(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("mary")
	for _, c := range []struct {
		why    string
		values []string
		status int
		user   string
	}{
		{"the token's user counts", []string{"Bearer " + s.client("john").Token}, 200, "john"},
		{"the scheme has no case", []string{"bearer " + s.client("john").Token}, 200, "john"},
		{"a bad token is not saved by the cookie", []string{"Bearer x"}, 401, ""},
		{"an empty token neither", []string{"Bearer"}, 401, ""},
		{"two headers are refused", []string{"Bearer " + s.client("john").Token, "Bearer x"}, 400, ""},
		{"another scheme is the application's", []string{"Basic am9objpwdw=="}, 200, "mary"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := b.request("GET", "/me", "")
			r.Header["Authorization"] = c.values
			res := b.copy().do(r)
			if res.StatusCode != 200 || c.status != 200 {
				wantStatus(t, c.why, res, c.status)
				return
			}
			if me := decode[who](t, res); me.User != c.user {
				t.Errorf("user %q, want %q", me.User, c.user)
			}
		})
	}
	r := httptest.NewRequest("POST", publicURL+"/nothing", nil)
	r.Header.Set("Authorization", "Bearer "+s.client("john").Token)
	wantStatus(t, "a POST with a token", s.browser().do(r), 200)

	only := newSite(t, counterfoil.Config{CookiesOnly: true})
	wantStatus(t, "CookiesOnly leaves the header alone", only.bearer("anything"), 200)
}

// The signing keys outlive the process with a secret, and not without.
func TestKeysOverARestart(t *testing.T) {
	secret, other := &[32]byte{1}, &[32]byte{2}
	st := newMemory()
	first := newSite(t, counterfoil.Config{Store: st, Secret: secret})
	grant := first.client("john")

	again := newSite(t, counterfoil.Config{Store: st, Secret: secret})
	wantStatus(t, "after a restart", again.bearer(grant.Token), 200)

	moved := newSite(t, counterfoil.Config{Store: st, Secret: secret, PublicURL: "http://localhost:9999"})
	wantStatus(t, "after a restart on another port", moved.bearer(grant.Token), 200)

	keyless := newSite(t, counterfoil.Config{Store: st})
	wantStatus(t, "without the secret", keyless.bearer(grant.Token), 401)
	keyless.refresh(grant.RefreshToken) // sessions don't depend on keys

	if m, err := counterfoil.New(counterfoil.Config{Store: st, Secret: other}); !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("another secret: %v", err)
		m.Close()
	}
}

// A store that remembers a later time than this machine's clock shows: tokens
// are good all the same, and nothing that has expired comes back.
func TestClockWasSetBackOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := aheadStore{newMemory()}
		s := newSite(t, counterfoil.Config{Store: ahead})
		b := s.user("john")
		token := b.me().Token
		wantStatus(t, "a fresh token", s.bearer(token), 200)
		time.Sleep(10 * time.Minute)
		wantStatus(t, "after its life", s.bearer(token), 401)
	})
}

// An aheadStore's clock is an hour ahead.
type aheadStore struct{ store.Store }

func (a aheadStore) Create(ctx context.Context, c store.Creation) (store.Session, error) {
	s, err := a.Store.Create(ctx, c)
	return later(s), err
}

func (a aheadStore) Find(ctx context.Context, id store.SID) (store.Session, error) {
	s, err := a.Store.Find(ctx, id)
	return later(s), err
}

func (a aheadStore) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	news, err := a.Store.Follow(ctx, after, limit)
	news.Now = news.Now.Add(time.Hour)
	return news, err
}

func later(s store.Session) store.Session {
	for _, t := range []*time.Time{&s.Created, &s.AuthTime, &s.LastSeen, &s.Deadline, &s.AsOf} {
		if !t.IsZero() {
			*t = t.Add(time.Hour)
		}
	}
	return s
}

// D14, req 51: a rotation is followed by every process, in time, and undoes no
// login.
func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, secret := newMemory(), &[32]byte{1}
		a := newSite(t, counterfoil.Config{Store: st, Secret: secret})
		b := newSite(t, counterfoil.Config{Store: st, Secret: secret})
		old := a.client("john")
		if err := a.RotateKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "the old token at once", b.bearer(old.Token), 200)
		seen := map[string]bool{}
		for range 20 {
			time.Sleep(time.Minute)
			fresh := a.client("john")
			wantStatus(t, "a new token, elsewhere", b.bearer(fresh.Token), 200)
			seen[kid(t, fresh.Token)] = true
		}
		if len(seen) != 2 {
			t.Errorf("%d keys signed, want the old and the new", len(seen))
		}
		time.Sleep(91 * 24 * time.Hour)
		keys := a.Keys()
		if newest := keys[len(keys)-1]; time.Since(newest.Created) > 90*24*time.Hour {
			t.Errorf("the newest key is %v old", time.Since(newest.Created))
		}
		if same := b.Keys(); same[len(same)-1].ID != keys[len(keys)-1].ID {
			t.Error("two processes have two newest keys")
		}
	})
}

func kid(t *testing.T, signed string) string {
	head, _, _ := strings.Cut(signed, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Kid string }
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	return header.Kid
}

// req 23, 25: tokens are checked against their session, so another spelling or
// another token of the same session dies with it.
func TestEveryTokenOfASessionDiesWithIt(t *testing.T) {
	for _, alg := range []token.Algorithm{token.EdDSA, token.ES256, token.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			s := newSite(t, counterfoil.Config{TokenAlgorithm: alg})
			b := s.user("john")
			tokens := []string{b.me().Token, b.me().Token, b.me().Token}
			for _, token := range tokens {
				wantStatus(t, "before", s.bearer(token), 200)
			}
			wantStatus(t, "logout", b.post("/logout"), 303)
			for _, token := range tokens {
				wantStatus(t, "after", s.bearer(token), 401)
			}
		})
	}
}

// req 7: what the store holds opens nothing.
func TestADumpOfTheStoreOpensNothing(t *testing.T) {
	st := newMemory()
	s := newSite(t, counterfoil.Config{Store: st, Secret: &[32]byte{1}})
	b := s.user("john")
	grant := s.client("john")
	rows, err := st.List(t.Context(), store.Query{User: "john"})
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		value := base64.RawURLEncoding.EncodeToString(append(row.ID[:], row.Secret[:]...))
		thief := s.browser()
		thief.cookies[cookieName] = value
		if me := thief.me(); me.ID != "" {
			t.Errorf("the digest is a cookie: %+v", me)
		}
	}
	keys, _, err := st.Document(t.Context(), "keys")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.OpenKeyring(keys, &[32]byte{}); !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("the signing keys open without the secret: %v", err)
	}
	if b.me().User != "john" || s.refresh(grant.RefreshToken).Session.User() != "john" {
		t.Error("the sessions don't live")
	}
}
