package token_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

func TestParseJWKSVerifiesWhatTheKeyringSigned(t *testing.T) {
	for _, alg := range algorithms {
		keys := newKeyring(t, alg)
		next, err := keys.Rotate(alg, start, life)
		if err != nil {
			t.Fatal(err)
		}
		read, err := token.ParseJWKS(next.JWKS())
		if err != nil {
			t.Fatal(err)
		}
		if got := newVerifier(read); verifyError(got, sign(t, keys, someClaims(), start)) != nil {
			t.Errorf("%s: a token of the keyring is refused", alg)
		}
		if string(read.JWKS()) != string(next.JWKS()) {
			t.Errorf("%s: read and written again it is another set", alg)
		}
		if _, err := read.Sign(someClaims(), start); err == nil {
			t.Errorf("%s: public keys sign", alg)
		}
	}
}

func verifyError(v *token.Verifier, tok string) error {
	_, err := v.Verify(tok, start)
	return err
}

func TestParseJWKSIsStrict(t *testing.T) {
	good := string(newKeyring(t, token.EdDSA).JWKS())
	key := strings.TrimSuffix(strings.TrimPrefix(good, `{"keys":[`), `]}`)
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	var members map[string]string
	if err := json.Unmarshal([]byte(key), &members); err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) string {
		old := fmt.Sprintf(`"%s":"%s"`, name, members[name])
		if !strings.Contains(key, old) {
			t.Fatalf("no %s in %s", old, key)
		}
		return strings.Replace(key, old, fmt.Sprintf(`"%s":"%s"`, name, value), 1)
	}
	other := strings.TrimSuffix(strings.TrimPrefix(string(newKeyring(t, token.EdDSA).JWKS()), `{"keys":[`), `]}`)
	private := strings.Replace(key, `"x":`, `"d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","x":`, 1)
	for _, c := range []struct{ why, in string }{
		{"a kid is the thumbprint of its key", set(with("kid", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))},
		{"an alg is the one that the key is used with", set(with("alg", "ES256"))},
		{"a key is for signatures", set(with("use", "enc"))},
		{"a private key that is published is told, not used", set(private)},
		{"one bad key spoils the set: somebody changed it", set(other, with("kid", "x"))},
		{"a key stands once", set(key, key)},
		{"a keyring is not empty", set()},
		{"a keyring is not empty, and keys of others don't count", set(`{"kty":"oct","alg":"HS256","k":"AA"}`)},
		{"a name stands once in an object", `{"keys":[` + key + `],"keys":[` + other + `]}`},
		{"nothing follows", good + "{}"},
		{"a key is an object", set("1")},
		{"it is JSON", `{"keys":`},
		{"it has a limit", `{"keys":[` + key + `],"pad":"` + strings.Repeat("x", 64<<10) + `"}`},
		{"there is a limit to the keys", set(strings.Split(strings.Repeat(`{"kty":"new","alg":"new"};`, 17), ";")[:17]...)},
	} {
		if _, err := token.ParseJWKS([]byte(c.in)); err == nil {
			t.Errorf("%s: accepted", c.why)
		} else if strings.Contains(err.Error(), members["x"]) {
			t.Errorf("%s: the error quotes the key: %v", c.why, err)
		}
	}
	for _, c := range []struct{ why, in string }{
		{"keys of other kinds are passed over", set(`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA","kid":"1"}`, key)},
		{"other members are passed over", strings.Replace(good, "{", `{"note":1,`, 1)},
	} {
		if _, err := token.ParseJWKS([]byte(c.in)); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

// A key that only verifies takes no part in what needs a private one.
func TestParsedJWKSCannotBeSealed(t *testing.T) {
	read, err := token.ParseJWKS(newKeyring(t, token.EdDSA).JWKS())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read.Seal(new([32]byte)); err == nil {
		t.Error("public keys were sealed as if they were private")
	}
	if keys := read.Prune(start.Add(1000 * time.Hour)).Keys(); len(keys) != 1 {
		t.Errorf("the key is gone by itself: %v", keys)
	}
}
