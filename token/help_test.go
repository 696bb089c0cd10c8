package token_test

import (
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

const (
	issuer = "https://sessions.example"
	api    = "https://api.example"
	life   = 10 * time.Minute
)

var (
	start      = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	algorithms = []token.Algorithm{token.EdDSA, token.ES256, token.RS256}
)

func someClaims() token.Claims {
	return token.Claims{
		Issuer:    issuer,
		Subject:   "user-7f3a",
		Audience:  []string{api},
		SessionID: "0198c0de-0000-7000-8000-000000000001",
		Username:  "john",
		Expires:   start.Add(life),
		AuthTime:  start,
		Methods:   []string{"pwd"},
	}
}

func newKeyring(tb testing.TB, alg token.Algorithm) *token.Keyring {
	tb.Helper()
	keys, err := token.NewKeyring(alg, start)
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

func sign(tb testing.TB, keys *token.Keyring, c token.Claims, now time.Time) string {
	tb.Helper()
	tok, err := keys.Sign(c, now)
	if err != nil {
		tb.Fatal(err)
	}
	return tok
}

func newVerifier(keys *token.Keyring) *token.Verifier {
	v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}})
	v.SetKeyring(keys)
	return v
}
