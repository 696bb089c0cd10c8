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
	if _, err := keys.SignJWT("JWT", make([]byte, token.MaxJWTLength), start); err == nil {
		t.Error("a token longer than MaxJWTLength was signed")
	}
}

// draft-ietf-oauth-status-list-20 section 6.2: "The object contains ... idx:
// REQUIRED ... uri: REQUIRED". Our own checks pass it over.
func TestSignWritesTheStatus(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := newVerifier(keys)
	plain := someClaims()
	for _, c := range []struct {
		why    string
		status *token.Status
		want   string // "": no claim
	}{
		{"none", nil, ""},
		{"nothing in it", &token.Status{}, ""},
		{"an index without a list is no place", &token.Status{Index: 7}, ""},
		{"the first place", &token.Status{URI: "https://sessions.example/v1/status/1"}, `{"status_list":{"idx":0,"uri":"https://sessions.example/v1/status/1"}}`},
		{"another", &token.Status{URI: "https://sessions.example/v1/status/4294967295", Index: 1<<20 - 1}, `{"status_list":{"idx":1048575,"uri":"https://sessions.example/v1/status/4294967295"}}`},
	} {
		claims := plain
		claims.Status = c.status
		tok := sign(t, keys, claims, start)
		_, payload, _ := segments(tok)
		text, err := base64.RawURLEncoding.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Status json.RawMessage }
		if err := json.Unmarshal(text, &got); err != nil || string(got.Status) != c.want {
			t.Errorf("%s: %v, %s: want %s", c.why, err, got.Status, c.want)
		}
		for range 2 { // read, and remembered
			if read, err := v.Verify(tok, start); err != nil || read.Subject != plain.Subject || read.Status != nil {
				t.Errorf("%s: %v, %+v", c.why, err, read)
			}
		}
	}
}

// RFC 9068 section 2.2: "client_id REQUIRED". Our own checks pass it over.
func TestSignWritesTheClient(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := newVerifier(keys)
	for _, client := range []string{"", "https://sessions.example", "a\"b"} {
		claims := someClaims()
		claims.ClientID = client
		tok := sign(t, keys, claims, start)
		_, payload, _ := segments(tok)
		text, err := base64.RawURLEncoding.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if id, written := got["client_id"]; written != (client != "") || written && id != client {
			t.Errorf("client_id %v, want %q", id, client)
		}
		for range 2 { // read, and remembered
			read := token.Claims{ClientID: "left over", Status: &token.Status{Index: 7}}
			if err := v.VerifyInto(&read, tok, start); err != nil || read.Subject != claims.Subject || read.ClientID != "" || read.Status != nil {
				t.Errorf("%q: %v, %+v", client, err, read)
			}
		}
	}
}
