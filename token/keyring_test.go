package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/counterfoil/counterfoil/token"
)

func rotate(tb testing.TB, keys *token.Keyring, alg token.Algorithm, now time.Time) *token.Keyring {
	tb.Helper()
	next, err := keys.Rotate(alg, now, life)
	if err != nil {
		tb.Fatal(err)
	}
	return next
}

// The life of a key, told along the clock: published, signing, verifying, gone.
func TestRotate(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			before := newKeyring(t, token.EdDSA)
			after := rotate(t, before, alg, start)
			oldKey, newKey := after.Keys()[0].ID, after.Keys()[1].ID
			signing := start.Add(token.Lead)
			gone := signing.Add(life + token.Margin)

			for _, c := range []struct {
				why       string
				at        time.Time
				signs     string
				published []string
			}{
				{"D14: a new key is published before it is used", start, oldKey, []string{oldKey, newKey}},
				{"D14: until everybody can know it", signing.Add(-1), oldKey, []string{oldKey, newKey}},
				{"then it signs", signing, newKey, []string{oldKey, newKey}},
				{"req 51: the old one verifies while its tokens live", gone.Add(-1), newKey, []string{oldKey, newKey}},
				{"req 51: then it is removed", gone, newKey, []string{newKey}},
			} {
				t.Run(c.why, func(t *testing.T) {
					claims := someClaims()
					claims.Expires = c.at.Add(life)
					tok := sign(t, after, claims, c.at)
					if kid := kidOf(t, tok); kid != c.signs {
						t.Errorf("%s signs, want %s", kid, c.signs)
					}
					if _, err := newVerifier(after).Verify(tok, c.at); err != nil {
						t.Error(err)
					}
					if kids := published(t, after.Prune(c.at)); !slices.Equal(kids, c.published) {
						t.Errorf("published: %v, want %v", kids, c.published)
					}
				})
			}
			if n := len(before.Keys()); n != 1 {
				t.Errorf("Rotate changed the keyring it was called on: %d keys", n)
			}
		})
	}
}

// No token that was issued before or during a rotation is refused before it
// expires, although nodes learn of the rotation at different times.
func TestRotateRefusesNothingIssued(t *testing.T) {
	old := newKeyring(t, token.EdDSA)
	rotated := rotate(t, old, token.EdDSA, start)
	const late = token.Lead - time.Second // how late the slowest node reads the new keyring
	for age := time.Duration(0); age <= token.Lead+life; age += 10 * time.Second {
		issuedAt := start.Add(age)
		issuers := []*token.Keyring{rotated}
		if age < late {
			issuers = append(issuers, old)
		}
		for _, keys := range issuers {
			c := someClaims()
			c.Expires = issuedAt.Add(life)
			tok := sign(t, keys, c, issuedAt)
			last := c.Expires.Add(-time.Second)
			if _, err := newVerifier(rotated.Prune(last)).Verify(tok, last); err != nil {
				t.Errorf("a token issued %v after the rotation is refused while it lives: %v", age, err)
			}
			if age < late {
				if _, err := newVerifier(old).Verify(tok, issuedAt); err != nil {
					t.Errorf("a node that is %v behind refuses a fresh token: %v", late, err)
				}
			}
		}
	}
}

func TestRotateAgainAtOnce(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	now := start
	for len(keys.Keys()) < token.MaxKeys {
		keys = rotate(t, keys, token.EdDSA, now)
		now = now.Add(-time.Second) // a clock that goes back must leave no gap
	}
	infos := keys.Keys()
	for i, key := range infos[:len(infos)-1] {
		if !key.SignsUntil.Equal(infos[i+1].SignsFrom) || key.SignsUntil.Before(key.SignsFrom) {
			t.Errorf("keys %d and %d: one signs until %v, the next from %v", i, i+1, key.SignsUntil, infos[i+1].SignsFrom)
		}
		if !key.VerifiesUntil.Equal(key.SignsUntil.Add(life + token.Margin)) {
			t.Errorf("key %d verifies until %v, signed until %v", i, key.VerifiesUntil, key.SignsUntil)
		}
	}
	if last := infos[len(infos)-1]; !last.SignsUntil.IsZero() || !last.VerifiesUntil.IsZero() {
		t.Errorf("the newest key has an end: %+v", last)
	}
	if _, err := keys.Rotate(token.EdDSA, start, life); err == nil {
		t.Errorf("more than %d keys", token.MaxKeys)
	}
	later := start.Add(time.Hour)
	if n := len(rotate(t, keys, token.EdDSA, later).Keys()); n != 2 {
		t.Errorf("an hour later there are %d keys, want the last and a new one", n)
	}
}

func TestPruneKeepsTheLastKey(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	if pruned := keys.Prune(start.AddDate(100, 0, 0)); pruned != keys {
		t.Error("a keyring with nothing to prune is another one")
	}
}

func TestUnknownAlgorithm(t *testing.T) {
	for _, alg := range []token.Algorithm{"none", "HS256", "PS256", "ES384", "eddsa"} {
		if _, err := token.NewKeyring(alg, start); err == nil {
			t.Errorf("made a key for %s", alg)
		}
		if _, err := newKeyring(t, token.EdDSA).Rotate(alg, start, life); err == nil {
			t.Errorf("rotated to %s", alg)
		}
	}
	keys, err := token.NewKeyring("", start)
	if err != nil || keys.Keys()[0].Algorithm != token.EdDSA {
		t.Errorf("the default is not EdDSA: %v", err)
	}
}

// 11.2.3: at least 128 bits of security. And the algorithm follows from the
// key, so there is none for these.
func TestWeakKeysAreRefused(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if token.TakeKey(short) == nil {
		t.Error("took an RSA key of 2048 bits")
	}
	if token.TakeKey(other) == nil {
		t.Error("took a key on P-384")
	}
}

func TestJWKS(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	keys = rotate(t, keys, token.ES256, start)
	keys = rotate(t, keys, token.RS256, start)
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(keys.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	want := []struct{ alg, kty string }{{"EdDSA", "OKP"}, {"ES256", "EC"}, {"RS256", "RSA"}}
	if len(set.Keys) != len(want) {
		t.Fatalf("%d keys, want %d", len(set.Keys), len(want))
	}
	for i, key := range set.Keys {
		if key["alg"] != want[i].alg || key["kty"] != want[i].kty || key["use"] != "sig" || key["kid"] != keys.Keys()[i].ID {
			t.Errorf("key %d: %v", i, key)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, ok := key[private]; ok {
				t.Errorf("13.3.1: key %d publishes its private %q", i, private)
			}
		}
	}
}

func published(tb testing.TB, keys *token.Keyring) []string {
	tb.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys.JWKS(), &set); err != nil {
		tb.Fatal(err)
	}
	var kids []string
	for _, key := range set.Keys {
		if !key.IsPublic() || !key.Valid() {
			tb.Errorf("published %s is no valid public key", key.KeyID)
		}
		kids = append(kids, key.KeyID)
	}
	return kids
}

func kidOf(tb testing.TB, tok string) string {
	tb.Helper()
	sig, err := jose.ParseSignedCompact(tok, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256})
	if err != nil {
		tb.Fatal(err)
	}
	return sig.Signatures[0].Header.KeyID
}

func TestSign(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := newVerifier(keys)
	t.Run("an id is made", func(t *testing.T) {
		ids := map[string]bool{}
		for range 1000 {
			c, err := v.Verify(sign(t, keys, someClaims(), start), start)
			if err != nil {
				t.Fatal(err)
			}
			ids[c.ID] = true
			if len(c.ID) != 22 {
				t.Fatalf("jti %q has not 128 bits", c.ID)
			}
		}
		if len(ids) != 1000 {
			t.Errorf("%d different ids among 1000", len(ids))
		}
	})
	t.Run("times are rounded down", func(t *testing.T) {
		c := someClaims()
		c.Expires = start.Add(life + 999*time.Millisecond)
		got, err := v.Verify(sign(t, keys, c, start.Add(999*time.Millisecond)), start)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Expires.Equal(start.Add(life)) || !got.IssuedAt.Equal(start) {
			t.Errorf("exp %v, iat %v", got.Expires, got.IssuedAt)
		}
	})
	for why, spoil := range map[string]func(*token.Claims){
		"no issuer":                func(c *token.Claims) { c.Issuer = "" },
		"no subject":               func(c *token.Claims) { c.Subject = "" },
		"no audience":              func(c *token.Claims) { c.Audience = nil },
		"no session":               func(c *token.Claims) { c.SessionID = "" },
		"no expiry":                func(c *token.Claims) { c.Expires = time.Time{} },
		"invalid UTF-8":            func(c *token.Claims) { c.Username = "john\xff" },
		"invalid UTF-8 in a list":  func(c *token.Claims) { c.Methods = []string{"\xff"} },
		"a date before 1970":       func(c *token.Claims) { c.AuthTime = time.Unix(-1, 0) },
		"a date beyond 9999":       func(c *token.Claims) { c.Expires = start.AddDate(9000, 0, 0) },
		"too long an audience":     func(c *token.Claims) { c.Audience = slices.Repeat(c.Audience, 17) },
		"too long a list":          func(c *token.Claims) { c.Methods = slices.Repeat(c.Methods, 17) },
		"a token that is too long": func(c *token.Claims) { c.Username = strings.Repeat("x", token.MaxLength) },
	} {
		t.Run(why, func(t *testing.T) {
			c := someClaims()
			spoil(&c)
			if tok, err := keys.Sign(c, start); err == nil || tok != "" {
				t.Errorf("issued %q", tok)
			}
		})
	}
}

func TestSeal(t *testing.T) {
	secret, other := &[32]byte{1}, &[32]byte{2}
	keys := newKeyring(t, token.EdDSA)
	keys = rotate(t, keys, token.ES256, start)
	keys = rotate(t, keys, token.RS256, start)
	document, err := keys.Seal(secret)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("opens to the same keyring", func(t *testing.T) {
		opened, err := token.OpenKeyring(document, secret)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(opened.Keys(), keys.Keys()) || !bytes.Equal(opened.JWKS(), keys.JWKS()) {
			t.Errorf("got  %+v\nwant %+v", opened.Keys(), keys.Keys())
		}
		for after := time.Duration(0); after < time.Hour; after += time.Minute {
			c := someClaims()
			c.Expires = start.Add(after + life)
			if _, err := newVerifier(keys).Verify(sign(t, opened, c, start.Add(after)), start.Add(after)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("times in another zone, with a monotonic reading", func(t *testing.T) {
		now := time.Now().In(time.FixedZone("UTC-8", -8*60*60))
		keys, err := token.NewKeyring(token.EdDSA, now)
		if err != nil {
			t.Fatal(err)
		}
		keys = rotate(t, keys, token.EdDSA, now.Add(time.Minute))
		document, err := keys.Seal(secret)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := token.OpenKeyring(document, secret)
		if err != nil || !slices.Equal(opened.Keys(), keys.Keys()) {
			t.Errorf("got  %+v\nwant %+v (%v)", opened.Keys(), keys.Keys(), err)
		}
	})
	t.Run("another secret", func(t *testing.T) {
		if _, err := token.OpenKeyring(document, other); !errors.Is(err, token.ErrWrongSecret) {
			t.Error(err)
		}
	})
	t.Run("no byte of it can be changed", func(t *testing.T) {
		var sealed struct {
			Version int    `json:"version"`
			Sealed  []byte `json:"sealed"`
		}
		if err := json.Unmarshal(document, &sealed); err != nil {
			t.Fatal(err)
		}
		for i := range sealed.Sealed {
			sealed.Sealed[i] ^= 1
			changed, err := json.Marshal(sealed)
			if err != nil {
				t.Fatal(err)
			}
			sealed.Sealed[i] ^= 1
			if _, err := token.OpenKeyring(changed, secret); !errors.Is(err, token.ErrWrongSecret) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	})
	t.Run("13.3.1: it shows no key", func(t *testing.T) {
		for _, key := range keys.Keys() {
			if bytes.Contains(document, []byte(key.ID)) {
				t.Error("a key id is in the clear: the keyring is to be sealed whole")
			}
		}
		again, err := keys.Seal(secret)
		if err != nil || bytes.Equal(again, document) {
			t.Errorf("sealed twice to the same document: %v", err)
		}
	})
	t.Run("the largest keyring fits", func(t *testing.T) {
		one, err := newKeyring(t, token.RS256).Seal(secret)
		if err != nil {
			t.Fatal(err)
		}
		if len(one)*token.MaxKeys > token.MaxDocument {
			t.Errorf("%d keys of %d bytes exceed the limit of %d", token.MaxKeys, len(one), token.MaxDocument)
		}
	})
}

func TestOpenKeyringRefuses(t *testing.T) {
	secret := &[32]byte{1}
	keys := newKeyring(t, token.EdDSA)
	for len(keys.Keys()) < token.MaxKeys {
		keys = rotate(t, keys, token.EdDSA, start)
	}
	good, err := keys.Seal(secret)
	if err != nil {
		t.Fatal(err)
	}
	// changed seals the good keys after a change.
	changed := func(change func(keys []token.StoredKey) []token.StoredKey) []byte {
		return token.SealStored(1, change(token.Unseal(good, secret)), secret)
	}
	last := token.MaxKeys - 1
	one, err := newKeyring(t, token.EdDSA).Seal(secret)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		why      string
		document []byte
		ok       bool
	}{
		{"it is as it was sealed", good, true},
		{"sealed here, nothing changed", changed(func(k []token.StoredKey) []token.StoredKey { return k }), true},
		{"nothing", nil, false},
		{"no JSON", []byte("x"), false},
		{"an empty document", []byte("{}"), false},
		{"no seal", []byte(`{"version":1,"sealed":""}`), false},
		{"as large as it may be", append(slices.Clone(good), bytes.Repeat([]byte(" "), token.MaxDocument-len(good))...), true},
		{"too large", append(slices.Clone(good), bytes.Repeat([]byte(" "), token.MaxDocument-len(good)+1)...), false},
		{"a newer version", token.SealStored(2, token.Unseal(good, secret), secret), false},
		{"no keys", token.SealRaw(1, []byte(`[]`), secret), false},
		{"null", token.SealRaw(1, []byte(`null`), secret), false},
		{"no array", token.SealRaw(1, []byte(`{}`), secret), false},
		{"something behind", token.SealRaw(1, []byte(`[] []`), secret), false},
		{"a key that is none", changed(func(k []token.StoredKey) []token.StoredKey {
			k[0].Private = []byte{1}
			return k
		}), false},
		{"too many keys", changed(func(k []token.StoredKey) []token.StoredKey {
			more := token.Unseal(one, secret)[0]
			more.SignsFrom = k[last].SignsFrom.Add(time.Minute)
			k[last].SignsUntil, k[last].VerifiesUntil = more.SignsFrom, more.SignsFrom.Add(life)
			return append(k, more)
		}), false},
		{"a key twice", changed(func(k []token.StoredKey) []token.StoredKey {
			k[1].Private = k[0].Private
			return k
		}), false},
		{"a gap in which no key signs", changed(func(k []token.StoredKey) []token.StoredKey {
			k[0].SignsUntil = k[0].SignsUntil.Add(-1)
			return k
		}), false},
		{"a key that signs and does not verify", changed(func(k []token.StoredKey) []token.StoredKey {
			k[0].VerifiesUntil = k[0].SignsUntil
			return k
		}), false},
		{"a retired key that verifies for ever", changed(func(k []token.StoredKey) []token.StoredKey {
			k[0].VerifiesUntil = time.Time{}
			return k
		}), false},
		{"a last key that stops signing", changed(func(k []token.StoredKey) []token.StoredKey {
			k[last].SignsUntil = start.Add(time.Hour)
			return k
		}), false},
		{"a last key that stops verifying", changed(func(k []token.StoredKey) []token.StoredKey {
			k[last].VerifiesUntil = start.Add(time.Hour)
			return k
		}), false},
	} {
		t.Run(c.why, func(t *testing.T) {
			keys, err := token.OpenKeyring(c.document, secret)
			if opened := err == nil; opened != c.ok || (keys != nil) != c.ok {
				t.Errorf("opened: %v (%v), want %v", opened, err, c.ok)
			}
		})
	}
}
