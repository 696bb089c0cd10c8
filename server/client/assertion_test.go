package client_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

const us = "https://sessions.example.com"

var audience = []string{us, us + "/v1/introspect"}

// keySet is a JWKS of these keys.
func keySet(t *testing.T, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	check(t, err)
	return data
}

func keys(t *testing.T, public ...jose.JSONWebKey) []jose.JSONWebKey {
	t.Helper()
	parsed, err := client.ParseKeys(keySet(t, public...))
	check(t, err)
	return parsed
}

func newEd25519(t *testing.T) (jose.JSONWebKey, crypto.Signer) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	return jose.JSONWebKey{Key: public, KeyID: "one"}, private
}

// claims are those of a good assertion, with some changed; nil takes one away.
func claims(id string, with map[string]any) jwt.MapClaims {
	now := time.Now()
	c := jwt.MapClaims{"iss": id, "sub": id, "aud": us, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text()}
	maps.Copy(c, with)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(key)
	check(t, err)
	return signed
}

// ed25519Method is EdDSA by its other name.
type ed25519Method struct{ *jwt.SigningMethodEd25519 }

func (ed25519Method) Alg() string { return "Ed25519" }

var introspect = []client.Capability{client.Introspect}

// Every kind of key works, with the one algorithm that is its own.
func TestKeysAndAlgorithms(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	ed, edKey := newEd25519(t)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	for _, c := range []struct {
		why    string
		public jose.JSONWebKey
		method jwt.SigningMethod
		key    any
		want   error
	}{
		{"Ed25519", ed, jwt.SigningMethodEdDSA, edKey, nil},
		{"Ed25519, as RFC 9864 calls it", ed, ed25519Method{jwt.SigningMethodEdDSA}, edKey, nil},
		{"P-256", jose.JSONWebKey{Key: ecKey.Public()}, jwt.SigningMethodES256, ecKey, nil},
		{"RSA", jose.JSONWebKey{Key: rsaKey.Public()}, jwt.SigningMethodRS256, rsaKey, nil},
		{"RSA for PSS", jose.JSONWebKey{Key: rsaKey.Public(), Algorithm: "PS256"}, jwt.SigningMethodPS256, rsaKey, nil},
		{"RSA for PSS is not for PKCS #1", jose.JSONWebKey{Key: rsaKey.Public(), Algorithm: "PS256"}, jwt.SigningMethodRS256, rsaKey, client.ErrDenied},
		{"a key that says nothing has one algorithm", jose.JSONWebKey{Key: rsaKey.Public()}, jwt.SigningMethodPS256, rsaKey, client.ErrDenied},
		{"a longer digest is another algorithm", jose.JSONWebKey{Key: rsaKey.Public()}, jwt.SigningMethodRS512, rsaKey, client.ErrDenied},
	} {
		added, secret, err := client.Add(ctx, s, client.Client{Name: strings.ReplaceAll(c.why, " ", "-")[:min(len(c.why), 64)], Can: introspect, Keys: keys(t, c.public)})
		check(t, err)
		if secret != "" {
			t.Errorf("%s: has a secret, too", c.why)
		}
		r := openRegistry(t, s)
		got, err := r.IdentifyByAssertion(ctx, sign(t, c.method, c.key, nil, claims(added.ID, nil)), audience)
		if !errors.Is(err, c.want) || err == nil && got.ID != added.ID {
			t.Errorf("%s: %v", c.why, err)
		}
		if _, err := r.Identify(ctx, added.ID, ""); !errors.Is(err, client.ErrDenied) {
			t.Errorf("%s: no secret is a secret: %v", c.why, err)
		}
	}
}

func TestAssertions(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	public, key := newEd25519(t)
	other, otherKey := newEd25519(t)
	shop, _, err := client.Add(ctx, s, client.Client{Name: "shop", Can: introspect, Keys: keys(t, public)})
	check(t, err)
	stranger, _, err := client.Add(ctx, s, client.Client{Name: "stranger", Can: introspect, Keys: keys(t, other)})
	check(t, err)
	plain, secret, err := client.Add(ctx, s, client.Client{Name: "plain", Can: introspect})
	check(t, err)
	r := openRegistry(t, s)
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	ed := jwt.SigningMethodEdDSA
	none := jwt.UnsafeAllowNoneSignatureType
	for _, c := range []struct {
		why       string
		assertion string
		want      error
	}{
		{"RFC 7523 section 3: a good one", sign(t, ed, key, nil, claims(shop.ID, nil)), nil},
		{"the endpoint is an audience as well", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"aud": audience[1]})), nil},
		{"one of a list", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"aud": []string{"https://elsewhere.example", us}})), nil},
		{"its kid", sign(t, ed, key, map[string]any{"kid": "one"}, claims(shop.ID, nil)), nil},
		{"a type of its own", sign(t, ed, key, map[string]any{"typ": "client-authentication+jwt"}, claims(shop.ID, nil)), nil},
		{"iat is optional", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"iat": nil})), nil},
		{"another key's id", sign(t, ed, key, map[string]any{"kid": "two"}, claims(shop.ID, nil)), client.ErrDenied},
		{"a JWT for another purpose", sign(t, ed, key, map[string]any{"typ": "at+jwt"}, claims(shop.ID, nil)), client.ErrDenied},
		{"what must be understood and is not", sign(t, ed, key, map[string]any{"crit": []string{"x"}, "x": 1}, claims(shop.ID, nil)), client.ErrDenied},
		{"signed by another client", sign(t, ed, otherKey, nil, claims(shop.ID, nil)), client.ErrDenied},
		{"a key that it brings along", sign(t, ed, otherKey, map[string]any{"jwk": other}, claims(shop.ID, nil)), client.ErrDenied},
		{"iss and sub are the same client", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"sub": stranger.ID})), client.ErrDenied},
		{"a client that is not known", sign(t, ed, key, nil, claims("c_aaaaaaaaaaaaaaaaaaaaaaaaaa", nil)), client.ErrDenied},
		{"the name is not the id", sign(t, ed, key, nil, claims("shop", nil)), client.ErrDenied},
		{"a client with a secret has no key", sign(t, jwt.SigningMethodHS256, []byte(secret), nil, claims(plain.ID, nil)), client.ErrDenied},
		{"alg none", sign(t, jwt.SigningMethodNone, none, nil, claims(shop.ID, nil)), client.ErrDenied},
		{"the public key as a secret", sign(t, jwt.SigningMethodHS256, []byte(public.Key.(ed25519.PublicKey)), nil, claims(shop.ID, nil)), client.ErrDenied},
		{"for somebody else", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"aud": us + ".evil.example"})), client.ErrDenied},
		{"for nobody", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"aud": nil})), client.ErrDenied},
		{"a huge list", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"aud": []string{us, "a", "b", "c", "d"}})), client.ErrDenied},
		{"expired", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"exp": in(-time.Second)})), client.ErrDenied},
		{"without an end", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"exp": nil})), client.ErrDenied},
		{"a life that is too long", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"exp": in(6 * time.Minute)})), client.ErrDenied},
		{"not yet", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"nbf": in(time.Minute)})), client.ErrDenied},
		{"made in the future", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"iat": in(time.Minute)})), client.ErrDenied},
		{"without jti it could be replayed", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"jti": nil})), client.ErrDenied},
		{"a huge jti", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"jti": strings.Repeat("x", 257)})), client.ErrDenied},
		{"too long", sign(t, ed, key, nil, claims(shop.ID, map[string]any{"x": strings.Repeat("x", 8<<10)})), client.ErrDenied},
		{"no text", "", client.ErrDenied},
		{"no JWT", "a.b.c", client.ErrDenied},
	} {
		if _, err := r.IdentifyByAssertion(ctx, c.assertion, audience); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.why, err, c.want)
		}
	}
}

// "Its jti was not seen before, by any server on this database", nor by two at
// once; and nothing that ends sessions, tidies up or starts anew forgets it.
func TestAssertionsWorkOnce(t *testing.T) {
	for name, where := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "counterfoil.db") },
		"postgres": func(t *testing.T) string { return servers.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx, where := openStore(t), t.Context(), where(t)
			public, key := newEd25519(t)
			shop, _, err := client.Add(ctx, s, client.Client{Name: "shop", Can: introspect, Keys: keys(t, public)})
			check(t, err)
			nodes := []*client.Registry{openNode(t, s, where), openNode(t, s, where)}
			var used []string
			for range 3 {
				assertion := sign(t, jwt.SigningMethodEdDSA, key, nil, claims(shop.ID, nil))
				used = append(used, assertion)
				var work sync.WaitGroup
				var taken atomic.Int32
				for n := range 20 {
					work.Go(func() {
						switch _, err := nodes[n%2].IdentifyByAssertion(ctx, assertion, audience); {
						case err == nil:
							taken.Add(1)
						case !errors.Is(err, client.ErrDenied):
							t.Error(err)
						}
					})
				}
				work.Wait()
				if n := taken.Load(); n != 1 {
					t.Errorf("taken %d times", n)
				}
			}
			for _, then := range []struct {
				what string
				do   func() error
			}{
				{"everybody was logged out", func() error { _, err := s.EndAll(ctx, time.Hour); return err }},
				{"the client was logged out, as if it were a user", func() error { _, err := s.EndUser(ctx, shop.ID, store.SID{}, time.Hour); return err }},
				{"the store was tidied up", func() error { _, err := s.Purge(ctx, 1000); return err }},
				{"a server was started anew", func() error { nodes[0] = openNode(t, s, where); return nil }},
			} {
				check(t, then.do())
				for _, assertion := range used {
					for _, node := range nodes {
						if _, err := node.IdentifyByAssertion(ctx, assertion, audience); !errors.Is(err, client.ErrDenied) {
							t.Errorf("used, and then %s: %v", then.what, err)
						}
					}
				}
			}
			if list, err := s.List(ctx, store.Query{}); err != nil || len(list) != 0 {
				t.Errorf("they stand among the sessions: %v, %v", list, err)
			}
			_, err = nodes[1].IdentifyByAssertion(ctx, sign(t, jwt.SigningMethodEdDSA, key, nil, claims(shop.ID, nil)), audience)
			check(t, err)
		})
	}
}

// A used jti is kept until the assertion has expired, and no longer.
func TestHowLongAssertionsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := openStore(t), t.Context()
		public, key := newEd25519(t)
		shop, _, err := client.Add(ctx, s, client.Client{Name: "shop", Can: introspect, Keys: keys(t, public)})
		check(t, err)
		db, err := database.OpenSQLite(filepath.Join(t.TempDir(), "counterfoil.db"))
		check(t, err)
		defer db.Close()
		r, err := client.OpenRegistry(ctx, s, db, discard)
		check(t, err)
		use := func(why, jti string, life time.Duration, want error) {
			t.Helper()
			assertion := sign(t, jwt.SigningMethodEdDSA, key, nil, claims(shop.ID, map[string]any{"jti": jti, "exp": time.Now().Add(life).Unix()}))
			if _, err := r.IdentifyByAssertion(ctx, assertion, audience); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", why, err, want)
			}
		}
		use("a new one", "1", 5*time.Minute, nil)
		use("another one with the same jti", "1", time.Minute, client.ErrDenied)
		time.Sleep(5*time.Minute - time.Second)
		for n := range 300 { // enough that the old ones are looked for
			use("another jti", fmt.Sprint("other ", n), time.Minute, nil)
		}
		use("just before it expires", "1", time.Minute, client.ErrDenied)
		time.Sleep(2 * time.Minute)
		use("what has expired is still kept", "1", time.Minute, nil)
		use("and is kept anew", "1", time.Minute, client.ErrDenied)
		time.Sleep(3 * time.Minute) // all have expired
		const more = 300
		for n := range more {
			use("another jti", fmt.Sprint("more ", n), time.Minute, nil)
		}
		var kept int
		check(t, db.Write(ctx, nil, func(tx *database.Tx) error {
			return tx.One(ctx, database.Into(&kept), `SELECT count(*) FROM client_assertion`)
		}))
		if kept != more {
			t.Errorf("%d are kept, of %d that have not expired", kept, more)
		}
	})
}

// Where it can't be noted that an assertion was used, it does not count: that is
// no refusal.
func TestAssertionsWithoutTheDatabase(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	public, key := newEd25519(t)
	shop, _, err := client.Add(ctx, s, client.Client{Name: "shop", Can: introspect, Keys: keys(t, public)})
	check(t, err)
	db, err := database.OpenSQLite(filepath.Join(t.TempDir(), "counterfoil.db"))
	check(t, err)
	r, err := client.OpenRegistry(ctx, s, db, discard)
	check(t, err)
	check(t, db.Close())
	_, err = r.IdentifyByAssertion(ctx, sign(t, jwt.SigningMethodEdDSA, key, nil, claims(shop.ID, nil)), audience)
	if err == nil || errors.Is(err, client.ErrDenied) {
		t.Error(err)
	}
	if _, err := client.OpenRegistry(ctx, s, db, discard); err == nil {
		t.Error("opened without a database")
	}
}

func TestKeySetsAreChecked(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	public, private := newEd25519(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	many := make([]jose.JSONWebKey, 9)
	for i := range many {
		many[i] = public
	}
	for _, c := range []struct {
		why  string
		jwks []byte
	}{
		{"no JSON", []byte("-----BEGIN PUBLIC KEY-----")},
		{"no keys", []byte(`{"keys":[]}`)},
		{"one key is no set", func() []byte { data, _ := json.Marshal(public); return data }()},
		{"a private key", keySet(t, jose.JSONWebKey{Key: private})},
		{"a secret", keySet(t, jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef")})},
		{"too weak", keySet(t, jose.JSONWebKey{Key: small.Public()})},
		{"a curve that is not known", keySet(t, jose.JSONWebKey{Key: p384.Public()})},
		{"a key for encryption", keySet(t, jose.JSONWebKey{Key: public.Key, Use: "enc"})},
		{"an algorithm of another kind of key", keySet(t, jose.JSONWebKey{Key: public.Key, Algorithm: "RS256"})},
		{"too many", keySet(t, many...)},
		{"too large", append(keySet(t, public), strings.Repeat(" ", 16<<10)...)},
	} {
		if keys, err := client.ParseKeys(c.jwks); err == nil {
			t.Errorf("%s: %v", c.why, keys)
		}
	}
	for _, c := range []struct {
		why    string
		client client.Client
	}{
		{"a private key", client.Client{Can: introspect, Keys: []jose.JSONWebKey{{Key: private}}}},
		{"a key of an unknown kind", client.Client{Can: introspect, Keys: []jose.JSONWebKey{{Key: p384.Public()}}}},
		{"to verify takes a secret", client.Client{Can: []client.Capability{client.Introspect, client.Verify}, Keys: keys(t, public)}},
		{"to poll takes a secret", client.Client{Can: []client.Capability{client.Introspect, client.Poll}, Keys: keys(t, public)}},
		{"keys are for those who introspect", client.Client{LogoutURL: us, Keys: keys(t, public)}},
		{"an audience is for those who introspect", client.Client{Can: verify, Audience: []string{us}}},
		{"an empty audience", client.Client{Can: introspect, Audience: []string{""}}},
		{"a huge audience", client.Client{Can: introspect, Audience: []string{strings.Repeat("x", 513)}}},
		{"a huge list", client.Client{Can: introspect, Audience: slices.Repeat([]string{us}, 17)}},
	} {
		c.client.Name = "shop"
		if _, _, err := client.Add(ctx, s, c.client); err == nil {
			t.Errorf("%s: added", c.why)
		}
	}
}

// Other keys: the old ones are of no use any more.
func TestReplaceKeys(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	one, oneKey := newEd25519(t)
	two, twoKey := newEd25519(t)
	shop, _, err := client.Add(ctx, s, client.Client{Name: "shop", Can: introspect, Keys: keys(t, one)})
	check(t, err)
	_, _, err = client.Add(ctx, s, client.Client{Name: "plain", Can: introspect})
	check(t, err)
	_, err = client.ReplaceKeys(ctx, s, "shop", keys(t, two))
	check(t, err)
	r := openRegistry(t, s)
	for _, c := range []struct {
		key  crypto.Signer
		want error
	}{{oneKey, client.ErrDenied}, {twoKey, nil}} {
		_, err := r.IdentifyByAssertion(ctx, sign(t, jwt.SigningMethodEdDSA, c.key, nil, claims(shop.ID, nil)), audience)
		if !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	if _, err := client.ReplaceKeys(ctx, s, "plain", keys(t, two)); err == nil {
		t.Error("a client with a secret got keys")
	}
	if _, err := client.ReplaceKeys(ctx, s, "shop", nil); err == nil {
		t.Error("a client has neither keys nor a secret")
	}
	if _, _, err := client.Rotate(ctx, s, "shop"); err == nil {
		t.Error("a client with keys got a secret")
	}
	if _, err := client.ReplaceKeys(ctx, s, "nobody", keys(t, two)); !errors.Is(err, client.ErrNotFound) {
		t.Error(err)
	}
	list, err := client.List(ctx, s)
	check(t, err)
	if text := fmt.Sprint(list[0].Keys); strings.Contains(text, "PRIVATE") || len(list[0].Keys) != 1 {
		t.Error(text)
	}
}

// FuzzAssertion: once the one good assertion was used nothing gets in, no other
// spelling of it either.
func FuzzAssertion(f *testing.F) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	s := memory.New(memory.Config{})
	defer s.Close()
	shop, _, err := client.Add(context.Background(), s, client.Client{Name: "shop", Can: introspect, Keys: []jose.JSONWebKey{{Key: public, Algorithm: "EdDSA"}}})
	if err != nil {
		f.Fatal(err)
	}
	good, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims(shop.ID, nil)).SignedString(private)
	if err != nil {
		f.Fatal(err)
	}
	r := openRegistry(f, s)
	if _, err := r.IdentifyByAssertion(context.Background(), good, audience); err != nil {
		f.Fatal(err)
	}
	header, rest, _ := strings.Cut(good, ".")
	for _, seed := range []string{good, good + "=", good + "\n", good[:len(good)-1] + "B", header + ".", "." + rest, header + "..", strings.ToUpper(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, assertion string) {
		if c, err := r.IdentifyByAssertion(t.Context(), assertion, audience); !errors.Is(err, client.ErrDenied) {
			t.Errorf("%q: %+v, %v", assertion, c, err)
		}
	})
}
