package counterfoil_test

import (
	"context"
	"encoding/base64"
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
		"iss": publicURL, "client_id": publicURL, "sub": "u1", "preferred_username": "john", "sid": grant.Session.ID(),
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

// IssueToken: "its life counts from the moment at which the session was seen
// alive", not from the one at which it is signed.
func TestTokenLifeCountsFromTheCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b := s.user("john")
		start := time.Now()
		var issued counterfoil.AccessToken
		b.within(func(ctx context.Context) {
			time.Sleep(4 * time.Second)
			var err error
			if issued, err = s.IssueToken(ctx); err != nil {
				t.Fatal(err)
			}
		})
		time.Sleep(time.Until(start.Add(10*time.Minute - time.Second)))
		wantStatus(t, "before its end", s.bearer(issued.Token), 200)
		time.Sleep(2 * time.Second)
		wantStatus(t, "ten minutes after the check", s.bearer(issued.Token), 401)
	})
}

// Late in a long request, such as an event stream, the session is looked up
// again.
func TestTokenLateInALongRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		s := newSite(t, counterfoil.Config{Store: st})
		s.user("john").within(func(ctx context.Context) {
			time.Sleep(20 * time.Minute)
			issued, err := s.IssueToken(ctx)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(issued.ExpiresIn - time.Second)
			wantStatus(t, "a token that was issued late", s.bearer(issued.Token), 200)
			endElsewhere(t, st, "john")
			if _, err := s.IssueToken(ctx); !errors.Is(err, counterfoil.ErrEnded) {
				t.Errorf("a token after the end: error %v", err)
			}
		})
	})
}

// 10 minutes are 10 minutes: a token does not renew itself.
func TestATokenIssuesNoToken(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	s.withToken(s.user("john").me().Token, func(ctx context.Context) {
		if issued, err := s.IssueToken(ctx); issued.Token != "" || !errors.Is(err, counterfoil.ErrNoSession) {
			t.Errorf("error %v", err)
		}
	})
}

// A token whose session is another user's is nobody's, even if we signed it.
func TestSubjectIsTheSessionsUser(t *testing.T) {
	st, secret := newMemory(), &[32]byte{1}
	s := newSite(t, counterfoil.Config{Store: st, Secret: secret})
	sid := s.client("mary").Session.ID()
	sealed, _, err := st.Document(t.Context(), "keys")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := token.OpenKeyring(sealed, secret)
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]int{"mary": 200, "john": 401} {
		signed, err := ring.Sign(token.Claims{
			Issuer: publicURL, Audience: []string{publicURL}, Subject: user, SessionID: sid,
			Expires: time.Now().Add(time.Minute),
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		wantStatus(t, user+"'s token for mary's session", s.bearer(signed), want)
	}
}
