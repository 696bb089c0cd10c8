package token_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/counterfoil/counterfoil/token"
)

// The raw signature of the same text is what issuing can't be faster than.
func BenchmarkRawSign(b *testing.B) {
	_, private, _ := ed25519.GenerateKey(nil)
	signed, _ := split(b, issueMany(b, newKeyring(b, token.EdDSA), 1)[0])
	b.ReportAllocs()
	for b.Loop() {
		ed25519.Sign(private, signed)
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(string(alg), func(b *testing.B) {
			keys := newKeyring(b, alg)
			claims := someClaims()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := keys.Sign(claims, start); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The raw check of the same texts is what a first check can't be faster than.
func BenchmarkRawVerify(b *testing.B) {
	keys := newKeyring(b, token.EdDSA)
	public := keys.Public().(ed25519.PublicKey)
	toks := issueMany(b, keys, newTokens)
	var signed, sigs [newTokens][]byte
	for i, tok := range toks {
		signed[i], sigs[i] = split(b, tok)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if !ed25519.Verify(public, signed[i%newTokens], sigs[i%newTokens]) {
			b.Fatal("refused")
		}
		i++
	}
}

// newTokens are more than the cache of the benchmark holds, so that each is
// new again when its turn comes.
const newTokens = 4 << 10

func BenchmarkVerifyFirst(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(string(alg), func(b *testing.B) {
			keys := newKeyring(b, alg)
			v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}, CacheSize: newTokens / 4})
			v.SetKeyring(keys)
			toks := issueMany(b, keys, newTokens)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := v.Verify(toks[i%newTokens], start); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkVerifyAgain(b *testing.B) {
	keys := newKeyring(b, token.EdDSA)
	for _, n := range []int{1, 1_000, 4_000, 8_000} {
		b.Run(fmt.Sprintf("of=%d", n), func(b *testing.B) {
			v := newVerifier(keys)
			toks := issueMany(b, keys, n)
			for _, tok := range toks {
				v.Verify(tok, start)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := v.Verify(toks[i%n], start); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkVerifyAgainParallel(b *testing.B) {
	keys := newKeyring(b, token.EdDSA)
	v := newVerifier(keys)
	toks := issueMany(b, keys, 1_000)
	for _, tok := range toks {
		v.Verify(tok, start)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := v.Verify(toks[i%len(toks)], start); err != nil {
				b.Error(err)
			}
		}
	})
}

func issueMany(tb testing.TB, keys *token.Keyring, n int) []string {
	tb.Helper()
	var toks []string
	for i := range n {
		c := someClaims()
		c.SessionID = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "session-%08d", i))
		toks = append(toks, sign(tb, keys, c, start))
	}
	return toks
}

// split returns what is signed, and the signature.
func split(tb testing.TB, tok string) (signed, sig []byte) {
	tb.Helper()
	header, payload, signature := segments(tok)
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(header + "." + payload), sig
}
