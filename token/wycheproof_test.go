package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"math/big"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/go-jose/go-jose/v4"

	"github.com/counterfoil/counterfoil/token"
)

// Project Wycheproof's vectors are signatures and JWSs that implementations got
// wrong before.

func vectors(t *testing.T, name string, into any) {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestWycheproofSignatures(t *testing.T) {
	for _, c := range []struct {
		file  string
		valid int // how many signatures we are to accept
	}{
		{"ed25519_test.json", 88},
		{"ecdsa_secp256r1_sha256_p1363_test.json", 103},
		{"rsa_signature_3072_sha256_test.json", 8},
	} {
		t.Run(c.file, func(t *testing.T) {
			var file struct {
				TestGroups []struct {
					PublicKeyDer string
					Tests        []struct {
						TcID             int
						Msg, Sig, Result string
						Comment          string
					}
				}
			}
			vectors(t, c.file, &file)
			accepted := 0
			for _, group := range file.TestGroups {
				public, err := x509.ParsePKIXPublicKey(unhex(t, group.PublicKeyDer))
				if err != nil {
					t.Fatal(err)
				}
				for _, test := range group.Tests {
					sig := unhex(t, test.Sig)
					want := test.Result == "valid" && !isUpperTwin(public, sig)
					got := token.ValidSignature(public, unhex(t, test.Msg), sig)
					if got != want {
						t.Errorf("%d (%s): accepted: %v, want %v", test.TcID, test.Comment, got, want)
					}
					if got {
						accepted++
					}
				}
			}
			if accepted != c.valid {
				t.Errorf("accepted %d signatures, want %d", accepted, c.valid)
			}
		})
	}
}

// isUpperTwin reports whether s is in the upper half, which ECDSA accepts and
// we don't: see req 23.
func isUpperTwin(public crypto.PublicKey, sig []byte) bool {
	ec, ok := public.(*ecdsa.PublicKey)
	if !ok || len(sig) != 64 {
		return false
	}
	s := new(big.Int).SetBytes(sig[32:])
	return s.Lsh(s, 1).Cmp(ec.Params().N) > 0
}

// None of the JWSs is an access token of ours, so Verify refuses them all. The
// pieces it is made of, strict base64 and one algorithm for a key, accept the
// valid ones and refuse the invalid ones.
func TestWycheproofJWS(t *testing.T) {
	var file struct {
		TestGroups []struct {
			Comment         string
			Public, Private json.RawMessage
			Tests           []struct {
				TcID    int
				Comment string
				JWS     json.RawMessage
				Result  string
			}
		}
	}
	vectors(t, "json_web_signature_test.json", &file)
	verifier := newVerifier(newKeyring(t, token.EdDSA))
	seen, accepted := 0, 0
	for _, group := range file.TestGroups {
		key := publicOf(group.Public)
		for _, test := range group.Tests {
			var jws string
			if json.Unmarshal(test.JWS, &jws) != nil {
				jws = string(test.JWS) // the JSON serialisation
			}
			seen++
			refuse(t, verifier, jws, start, token.ErrInvalid)
			want := test.Result == "valid" && key.public != nil && !isUpperTwin(key.public, signatureOf(jws))
			got := validJWS(key, jws)
			if got != want {
				t.Errorf("%s, %d (%s): accepted: %v, want %v", group.Comment, test.TcID, test.Comment, got, want)
			}
			if got {
				accepted++
			}
		}
	}
	if seen != 401 || accepted != 9 {
		t.Errorf("%d vectors, %d of them accepted: this shows too little", seen, accepted)
	}
}

// A jwsKey is a key of a kind that we use, and the one algorithm it is for.
type jwsKey struct {
	alg    token.Algorithm
	public crypto.PublicKey
}

func publicOf(data json.RawMessage) jwsKey {
	var jwk jose.JSONWebKey
	if json.Unmarshal(data, &jwk) != nil {
		return jwsKey{} // none, or of a kind that we don't know
	}
	switch alg := token.Algorithm(jwk.Algorithm); alg {
	case token.ES256, token.RS256:
		return jwsKey{alg, jwk.Key}
	}
	return jwsKey{}
}

// validJWS checks a compact JWS as Verify would, if its header were ours.
func validJWS(key jwsKey, jws string) bool {
	if key.public == nil || strings.Count(jws, ".") != 2 {
		return false
	}
	header, _, signature := segments(jws)
	var head struct{ Alg token.Algorithm }
	if json.Unmarshal([]byte(unb64(header)), &head) != nil || head.Alg != key.alg {
		return false
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	return err == nil && token.ValidSignature(key.public, []byte(strings.TrimSuffix(jws, "."+signature)), sig)
}

func signatureOf(jws string) []byte {
	return []byte(unb64(jws[strings.LastIndexByte(jws, '.')+1:]))
}

func unb64(s string) string {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return string(b)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
