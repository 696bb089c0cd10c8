// Package tokens measures what it costs to issue an access token and to check
// one, with Ed25519, the algorithm that all libraries and the standard library
// have.
//
// Tokens say the same whoever issues them (RFC 9068), and each library checks
// ours: signature, issuer, audience and expiry, with the public key given. Only
// ours asks whether the session has ended.
package tokens

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/verify"
)

// What a token says.
const (
	user     = "u_0198f2c6a7d14c3e"
	username = "john"
	session  = "0198f2c6-a7d1-7c3e-8f2c-6a7d14c3e001"
	life     = 10 * time.Minute
)

var methods = []string{"pwd"}

// An issuer is a library that signs.
type issuer struct {
	name string
	kind report.Kind
	sign func() (string, error)
}

// A checker is a library that checks. It returns the token's session.
type checker struct {
	name  string
	kind  report.Kind
	check func(token string) (session string, err error)
}

// issuers are the others that sign, and the raw signature.
func issuers(tb testing.TB, url string) []issuer {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	all := []issuer{rawIssuer(key), jwtIssuer(url, key)}
	for _, open := range []func(string, ed25519.PrivateKey) (issuer, error){joseIssuer, jwxIssuer} {
		i, err := open(url, key)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, i)
	}
	return all
}

// rawIssuer signs as many bytes as our token has, and does nothing else.
func rawIssuer(key ed25519.PrivateKey) issuer {
	message := make([]byte, 480)
	rand.Read(message)
	return issuer{raw, report.Limit, func() (string, error) {
		if len(ed25519.Sign(key, message)) != ed25519.SignatureSize {
			return "", errors.New("no signature")
		}
		return "", nil
	}}
}

// newID is a jti: each library makes one for each token.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// checkers are the others that check.
func checkers(url string, key ed25519.PublicKey) []checker {
	return []checker{jwtChecker(url, key), joseChecker(url, key), jwxChecker(url, key)}
}

// rawCheck verifies signatures of tokens that were taken apart before.
func rawCheck(key ed25519.PublicKey, tokens []string) (func(i int) error, error) {
	type part struct{ message, signature []byte }
	parts := make([]part, len(tokens))
	for i, token := range tokens {
		dot := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
		if err != nil {
			return nil, err
		}
		parts[i] = part{[]byte(token[:dot]), signature}
	}
	return func(i int) error {
		if !ed25519.Verify(key, parts[i].message, parts[i].signature) {
			return errors.New("the signature is not good")
		}
		return nil
	}, nil
}

// publicKey reads the key that the node signs with.
func (n *node) publicKey(tb testing.TB) ed25519.PublicKey {
	tb.Helper()
	w := httptest.NewRecorder()
	n.sessions.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var set struct {
		Keys []struct {
			X string `json:"x"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 1 {
		tb.Fatalf("the keys are %s (%v)", w.Body, err)
	}
	key, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	if err != nil || len(key) != ed25519.PublicKeySize {
		tb.Fatalf("the key is %q (%v)", set.Keys[0].X, err)
	}
	return key
}

// checker checks with package verify, which remembers so many tokens. On a machine
// so busy that the lease lapses the verifier refuses, as it should; then the check
// waits for the next proof.
func (n *node) checker(tb testing.TB, cacheSize int) checker {
	v, ctx := n.verifier(tb, cacheSize), context.WithoutCancel(tb.Context())
	return checker{ours, report.Ours, func(token string) (string, error) {
		claims, err := v.Check(ctx, token)
		for tries := 0; errors.Is(err, verify.ErrUnavailable) && tries < 10; tries++ {
			if err := ready(ctx, v); err != nil {
				return "", err
			}
			claims, err = v.Check(ctx, token)
		}
		return claims.SessionID, err
	}}
}

func ready(ctx context.Context, v *verify.Verifier) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return v.Ready(ctx)
}
