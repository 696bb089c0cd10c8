package token_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil/token"
)

func TestSignJWT(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	claims := someClaims()
	access := sign(t, keys, claims, start)
	_, payload, _ := segments(access)
	same, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}

	const why = "nobody takes it for an access token, whatever stands in it"
	v := newVerifier(keys)
	for _, typ := range []string{"logout+jwt", "secevent+jwt", "JWT"} {
		tok, err := keys.SignJWT(typ, same, start)
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		refuse(t, v, tok, start, token.ErrUnknownKey)

		header, err := base64.RawURLEncoding.DecodeString(strings.Split(tok, ".")[0])
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Alg, Kid, Typ string }
		if err := json.Unmarshal(header, &got); err != nil || got.Typ != typ || got.Kid != keys.Keys()[0].ID {
			t.Errorf("header %s: want typ %s and our kid: %s", header, typ, why)
		}
		// A library that no one here wrote takes the signature.
		_, err = jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithoutClaimsValidation()).Parse(tok, func(*jwt.Token) (any, error) { return keys.Public(), nil })
		if err != nil {
			t.Errorf("%s: golang-jwt: %v", typ, err)
		}
	}
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "", "a\"b", "x y", strings.Repeat("x", 65)} {
		if tok, err := keys.SignJWT(typ, same, start); err == nil {
			t.Errorf("typ %q: signed %s: %s", typ, tok, why)
		}
	}
	if _, err := keys.SignJWT("JWT", make([]byte, token.MaxLength), start); err == nil {
		t.Error("a token longer than MaxLength was signed")
	}
}
