package token_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil/token"
)

// FuzzVerify shows that no input makes Verify panic, and that whatever it
// accepts is in its one spelling and is accepted by golang-jwt too. The fuzzer
// can't forge signatures, so its payloads are also signed by our key.
func FuzzVerify(f *testing.F) {
	keys := newKeyring(f, token.EdDSA)
	golangJWT := oracles(f, keys)["golang-jwt"]
	f.Add(sign(f, keys, someClaims(), start), payload(f))
	f.Add("..", `{"aud":["a"],"x":[{},1.5e-3,"\ud83d\ude00"]}`)
	f.Add(keys.SignRaw(`{"alg":"none"}`, payload(f)), payload(f, "user-7f3a", `\u0041\n`))
	f.Fuzz(func(t *testing.T, tok, claims string) {
		v := newVerifier(keys)
		for _, tok := range []string{tok, keys.SignRaw(keys.Header(), claims)} {
			got, err := v.Verify(tok, start)
			if err != nil {
				if again, _ := v.Verify(tok, start); again.SessionID != "" {
					t.Fatal("refused once and accepted later")
				}
				continue
			}
			if !isCanonical(tok) {
				t.Fatalf("accepted in another spelling: %q", tok)
			}
			theirs, err := golangJWT(tok, start)
			if err != nil {
				t.Fatalf("golang-jwt refuses what we accept: %v", err)
			}
			if !sayTheSame(theirs, got) {
				t.Fatalf("golang-jwt reads %v, we read %+v", theirs, got)
			}
		}
	})
}

func isCanonical(tok string) bool {
	for segment := range strings.SplitSeq(tok, ".") {
		b, err := base64.RawURLEncoding.DecodeString(segment)
		if err != nil || base64.RawURLEncoding.EncodeToString(b) != segment {
			return false
		}
	}
	return strings.Count(tok, ".") == 2
}

// FuzzClaims holds the scanner against encoding/json: what it accepts is valid
// JSON, in valid UTF-8, and read in the same way.
func FuzzClaims(f *testing.F) {
	f.Add(payload(f))
	f.Add(payload(f, "user-7f3a", `\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00`))
	f.Add(payload(f, `"iss"`, `"x":[[],{},{"a":-0.1E+2,"b":null}],"iss"`))
	f.Add(payload(f, `"iss"`, `"nbf":0,"auth_time":1,"amr":["a","b"],"preferred_username":"x","iss"`))
	f.Fuzz(func(t *testing.T, text string) {
		ours, err := token.ParseClaims(text)
		if err != nil {
			return
		}
		if !utf8.ValidString(text) {
			t.Fatalf("accepted invalid UTF-8: %q", text)
		}
		var theirs map[string]any
		if err := json.Unmarshal([]byte(text), &theirs); err != nil {
			t.Fatalf("accepted %q: %v", text, err)
		}
		if !sayTheSame(theirs, ours) {
			t.Fatalf("encoding/json reads %v, we read %+v", theirs, ours)
		}
	})
}

// FuzzOpenKeyring shows that no document makes OpenKeyring panic, be it one
// that somebody without the secret wrote, or one that somebody who has the
// secret got wrong, and that what opens can be sealed and opened again.
func FuzzOpenKeyring(f *testing.F) {
	secret := &[32]byte{1}
	sealed, err := newKeyring(f, token.EdDSA).Seal(secret)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, []byte(`[{"private":"MC4CAQAwBQYDK2VwBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g","created":"2026-03-14T09:26:53Z","signs_from":"2026-03-14T09:26:53Z"}]`))
	f.Add([]byte(`{"version":1,"sealed":"AAAA"}`), []byte(`[{},{}]`))
	f.Fuzz(func(t *testing.T, document, plain []byte) {
		for _, document := range [][]byte{document, token.SealRaw(1, plain, secret)} {
			keys, err := token.OpenKeyring(document, secret)
			if err != nil {
				if keys != nil {
					t.Fatal("an error and a keyring")
				}
				continue
			}
			again, err := keys.Seal(secret)
			if err != nil {
				t.Fatal(err)
			}
			reopened, err := token.OpenKeyring(again, secret)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(reopened.JWKS(), keys.JWKS()) || !slices.Equal(reopened.Keys(), keys.Keys()) {
				t.Fatalf("sealed %+v, opened %+v", keys.Keys(), reopened.Keys())
			}
			if ids := idsOf(keys); len(ids) != len(keys.Keys()) {
				t.Fatalf("two keys have one id: %v", keys.Keys())
			}
		}
	})
}

func idsOf(keys *token.Keyring) []string {
	ids := map[string]bool{}
	for _, key := range keys.Keys() {
		ids[key.ID] = true
	}
	return slices.Collect(maps.Keys(ids))
}
