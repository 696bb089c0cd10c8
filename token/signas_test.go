package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/counterfoil/counterfoil/token"
)

// TestSignAs: a JWT of another kind is good for whoever looks at its typ, and is
// no access token (RFC 8725 section 3.11).
func TestSignAs(t *testing.T) {
	now := time.Now()
	for _, alg := range []token.Algorithm{token.EdDSA, token.ES256, token.RS256} {
		keys, err := token.NewKeyring(alg, now)
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{
			"iss": "https://a.test", "sub": "john", "aud": "https://a.test", "sid": "s", "jti": "j",
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		}
		signed, err := keys.SignAs("logout+jwt", claims, now)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSigned(signed, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Verify(keys.Public()); err != nil {
			t.Errorf("%s: another library refuses it: %v", alg, err)
		}
		if typ := parsed.Signatures[0].Header.ExtraHeaders[jose.HeaderType]; typ != "logout+jwt" {
			t.Errorf("%s: its typ is %v", alg, typ)
		}
		v := token.NewVerifier(token.Config{Issuers: []string{"https://a.test"}, Audiences: []string{"https://a.test"}})
		v.SetKeyring(keys)
		if _, err := v.Verify(signed, now); err == nil {
			t.Errorf("%s: it is taken for an access token", alg)
		}
		// Nor with the header of one: the signature covers it.
		_, rest, _ := strings.Cut(signed, ".")
		if _, err := v.Verify(keys.Header()+"."+rest, now); err == nil {
			t.Errorf("%s: with another header it is taken for an access token", alg)
		}
		for _, typ := range []string{"", "at+jwt", "AT+JWT", "application/at+jwt", `x","alg":"none`, "a b"} {
			if _, err := keys.SignAs(typ, claims, now); err == nil {
				t.Errorf("%s: typ %q is allowed", alg, typ)
			}
		}
		if _, err := keys.SignAs("logout+jwt", map[string]any{"x": strings.Repeat("a", token.MaxLength)}, now); err == nil {
			t.Errorf("%s: a token that is too long is signed", alg)
		}
		if _, err := keys.SignAs("logout+jwt", func() {}, now); err == nil {
			t.Errorf("%s: claims that are no JSON are signed", alg)
		}
	}
}
