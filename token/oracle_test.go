package token_test

import (
	"crypto"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil/token"
)

// Two other implementations, which know our keys from the JWKS alone, are asked
// what they make of our tokens.

// An oracle returns the claims of a token, or why it refuses it.
type oracle func(tok string, now time.Time) (map[string]any, error)

func oracles(tb testing.TB, keys *token.Keyring) map[string]oracle {
	tb.Helper()
	set, err := jwk.Parse(keys.JWKS())
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]oracle{"golang-jwt": golangJWT(tb, set), "jwx": jwx(set)}
}

func golangJWT(tb testing.TB, set jwk.Set) oracle {
	tb.Helper()
	public := map[string]crypto.PublicKey{}
	algorithm := map[string]string{}
	for i := range set.Len() {
		key, _ := set.Key(i)
		kid, _ := key.KeyID()
		alg, _ := key.Algorithm()
		var raw any
		if err := jwk.Export(key, &raw); err != nil {
			tb.Fatal(err)
		}
		public[kid], algorithm[kid] = raw, alg.String()
	}
	keyOf := func(tok *jwt.Token) (any, error) {
		kid, _ := tok.Header["kid"].(string)
		if public[kid] == nil || algorithm[kid] != tok.Method.Alg() {
			return nil, fmt.Errorf("no such key")
		}
		return public[kid], nil
	}
	return func(tok string, now time.Time) (map[string]any, error) {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(tok, claims, keyOf,
			jwt.WithIssuer(issuer), jwt.WithAudience(api), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithLeeway(0), jwt.WithTimeFunc(func() time.Time { return now }))
		return claims, err
	}
}

func jwx(set jwk.Set) oracle {
	return func(tok string, now time.Time) (map[string]any, error) {
		parsed, err := jwxjwt.ParseString(tok, jwxjwt.WithKeySet(set), jwxjwt.WithIssuer(issuer),
			jwxjwt.WithAudience(api), jwxjwt.WithClock(jwxjwt.ClockFunc(func() time.Time { return now })))
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(parsed)
		if err != nil {
			return nil, err
		}
		claims := map[string]any{}
		return claims, json.Unmarshal(text, &claims)
	}
}

// threeKeys is a keyring with a key of every algorithm, and when each signs.
func threeKeys(tb testing.TB) (*token.Keyring, []time.Time) {
	tb.Helper()
	keys := newKeyring(tb, token.EdDSA)
	turns := []time.Time{start}
	for _, alg := range []token.Algorithm{token.ES256, token.RS256} {
		last := turns[len(turns)-1]
		keys = rotate(tb, keys, alg, last)
		turns = append(turns, last.Add(token.Lead))
	}
	return keys, turns
}

func drawClaims(t *rapid.T, now time.Time) token.Claims {
	text := rapid.StringN(1, 40, -1)
	c := token.Claims{
		Issuer:    issuer,
		Subject:   text.Draw(t, "sub"),
		Audience:  append(rapid.SliceOfN(text, 0, 3).Draw(t, "aud"), api),
		SessionID: text.Draw(t, "sid"),
		ID:        text.Draw(t, "jti"),
		Username:  rapid.String().Draw(t, "username"),
		IssuedAt:  now,
		Expires:   now.Add(time.Duration(rapid.IntRange(1, 3600).Draw(t, "life")) * time.Second),
	}
	if rapid.Bool().Draw(t, "signed in") {
		c.AuthTime = now.Add(-time.Hour)
		c.NotBefore = now
		c.Methods = rapid.SliceOfN(text, 1, 3).Draw(t, "amr")
	}
	return c
}

func TestOraclesAcceptWhatWeIssue(t *testing.T) {
	keys, turns := threeKeys(t)
	all := oracles(t, keys)
	v := newVerifier(keys)
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.SampledFrom(turns).Draw(t, "now")
		want := drawClaims(t, now)
		tok, err := keys.Sign(want, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(tok, now)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		for name, oracle := range all {
			theirs, err := oracle(tok, now)
			if err != nil {
				t.Fatalf("%s refuses what we issued: %v", name, err)
			}
			if !sayTheSame(theirs, want) {
				t.Fatalf("%s reads %v\nwant %v", name, theirs, want)
			}
			if _, err := oracle(tok, want.Expires); err == nil {
				t.Fatalf("%s does not see that it expires", name)
			}
		}
		if _, err := v.Verify(tok, want.Expires); err == nil {
			t.Fatal("accepted at exp")
		}
	})
}

func sayTheSame(theirs map[string]any, ours token.Claims) bool {
	username, _ := theirs["preferred_username"].(string)
	return theirs["iss"] == ours.Issuer && theirs["sub"] == ours.Subject &&
		theirs["sid"] == ours.SessionID && theirs["jti"] == ours.ID && username == ours.Username &&
		slices.Equal(list(theirs["aud"]), ours.Audience) && slices.Equal(list(theirs["amr"]), ours.Methods) &&
		isDate(theirs["exp"], ours.Expires) && isDate(theirs["iat"], ours.IssuedAt) &&
		isDate(theirs["nbf"], ours.NotBefore) && isDate(theirs["auth_time"], ours.AuthTime)
}

func list(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, v := range value {
			all = append(all, v.(string))
		}
		return all
	}
	return nil
}

func isDate(value any, t time.Time) bool {
	seconds, ok := value.(float64)
	return ok == !t.IsZero() && (!ok || int64(seconds) == t.Unix())
}

// However a token is changed, we refuse it: it has one spelling. Where another
// implementation accepts the change, it is another spelling of the same claims,
// which is why nothing may ever be keyed on a token's bytes (req 23).
func TestOraclesAgreeOnWhatIsForged(t *testing.T) {
	keys, turns := threeKeys(t)
	all := oracles(t, keys)
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.SampledFrom(turns).Draw(t, "now")
		want := drawClaims(t, now)
		other := drawClaims(t, now)
		tok, err := keys.Sign(want, now)
		if err != nil {
			t.Fatal(err)
		}
		second, err := keys.Sign(other, now)
		if err != nil {
			t.Fatal(err)
		}
		forged := mutate(t, tok, second)
		if forged == tok || forged == second {
			return
		}
		v := newVerifier(keys)
		for _, issued := range []string{tok, second} { // so that the cache has a chance to be wrong
			if _, err := v.Verify(issued, now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := v.Verify(forged, now); err == nil {
			t.Fatalf("accepted\n%s\nmade of\n%s", forged, tok)
		}
		for name, oracle := range all {
			theirs, err := oracle(forged, now)
			if err == nil && !sayTheSame(theirs, want) && !sayTheSame(theirs, other) {
				t.Fatalf("%s accepts a forged token that says %v", name, theirs)
			}
		}
	})
}

// mutate changes tok in one to three ways, with pieces of another token.
func mutate(t *rapid.T, tok, other string) string {
	for range rapid.IntRange(1, 3).Draw(t, "mutations") {
		at := rapid.IntRange(0, len(tok)).Draw(t, "at")
		to := rapid.IntRange(at, min(at+8, len(tok))).Draw(t, "to")
		switch rapid.IntRange(0, 5).Draw(t, "mutation") {
		case 0: // replace or insert characters
			tok = tok[:at] + rapid.StringMatching(`[A-Za-z0-9_.=+/ \n-]{1,4}`).Draw(t, "characters") + tok[to:]
		case 1: // drop some
			tok = tok[:at] + tok[to:]
		case 2: // repeat some
			tok = tok[:to] + tok[at:]
		case 3: // take a segment of the other token
			mine, theirs := strings.Split(tok, "."), strings.Split(other, ".")
			i := rapid.IntRange(0, min(len(mine), len(theirs))-1).Draw(t, "segment")
			mine[i] = theirs[i]
			tok = strings.Join(mine, ".")
		case 4: // another spelling of the end
			if len(tok)%4 != 0 && tok != "" && strings.IndexByte(".=+/ \n", tok[len(tok)-1]) < 0 {
				tok = looseTwin(tok)
			}
		case 5: // the tail of the other token
			tok = tok[:at] + other[min(at, len(other)):]
		}
	}
	return tok
}
