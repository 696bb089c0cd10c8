package token_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

func Example() {
	now := time.Now()
	keys, err := token.NewKeyring(token.EdDSA, now)
	if err != nil {
		log.Fatal(err)
	}
	tok, err := keys.Sign(token.Claims{
		Issuer:    "https://example.com",
		Subject:   "user-7f3a",
		Audience:  []string{"https://example.com"},
		SessionID: "0198c0de-0000-7000-8000-000000000001",
		Username:  "john",
		Expires:   now.Add(10 * time.Minute),
	}, now)
	if err != nil {
		log.Fatal(err)
	}

	verifier := token.NewVerifier(token.Config{
		Issuers:   []string{"https://example.com"},
		Audiences: []string{"https://example.com"},
	})
	verifier.SetKeyring(keys)
	claims, err := verifier.Verify(tok, now)
	fmt.Println(claims.Username, err)

	_, err = verifier.Verify(tok, now.Add(10*time.Minute))
	fmt.Println(err, errors.Is(err, token.ErrInvalid))
	// Output:
	// john <nil>
	// token: not valid: expired true
}

// A new key is published at once, signs after Lead, and the old one goes when
// its last token has run out.
func ExampleKeyring_Rotate() {
	now := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	keys, err := token.NewKeyring(token.EdDSA, now)
	if err != nil {
		log.Fatal(err)
	}
	keys, err = keys.Rotate(token.EdDSA, now, 10*time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range keys.Keys() {
		fmt.Println(key.Algorithm, "signs from", key.SignsFrom.Format(time.TimeOnly))
	}
	fmt.Println("the old one verifies until", keys.Keys()[0].VerifiesUntil.Format(time.TimeOnly))
	fmt.Println("then there is", len(keys.Prune(keys.Keys()[0].VerifiesUntil).Keys()))
	// Output:
	// EdDSA signs from 09:00:00
	// EdDSA signs from 09:05:00
	// the old one verifies until 09:16:00
	// then there is 1
}

// A store keeps the keyring sealed: who reads the store can't sign.
func ExampleKeyring_Seal() {
	var secret [32]byte // from a file with mode 0600, say
	rand.Read(secret[:])

	keys, err := token.NewKeyring(token.EdDSA, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	document, err := keys.Seal(&secret)
	if err != nil {
		log.Fatal(err)
	}

	_, err = token.OpenKeyring(document, &secret)
	fmt.Println(err)
	_, err = token.OpenKeyring(document, new([32]byte))
	fmt.Println(errors.Is(err, token.ErrWrongSecret))
	// Output:
	// <nil>
	// true
}
