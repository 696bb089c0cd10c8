package token_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/token"
)

// The raw signature is what issuing can't be faster than.
func BenchmarkRawSign(b *testing.B) {
	_, private, _ := ed25519.GenerateKey(nil)
	message := []byte(strings.Repeat("x", 430))
	b.ReportAllocs()
	for b.Loop() {
		ed25519.Sign(private, message)
	}
}

func BenchmarkSign(b *testing.B) {
	keys := newKeyring(b, token.EdDSA)
	claims := someClaims()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Sign(claims, start); err != nil {
			b.Fatal(err)
		}
	}
}

// The raw check is what a first check can't be faster than.
func BenchmarkRawVerify(b *testing.B) {
	public, private, _ := ed25519.GenerateKey(nil)
	message := []byte(strings.Repeat("x", 430))
	sig := ed25519.Sign(private, message)
	b.ReportAllocs()
	for b.Loop() {
		if !ed25519.Verify(public, message, sig) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkVerifyFirst(b *testing.B) {
	keys := newKeyring(b, token.EdDSA)
	v := newVerifier(keys)
	// More tokens than the cache holds, so that each is new when it comes.
	toks := issueMany(b, keys, 40_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := v.Verify(toks[i%len(toks)], start); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkVerifyAgain(b *testing.B) {
	keys := newKeyring(b, token.EdDSA)
	for _, n := range []int{1, 1_000, 8_000} {
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

// What a repeated check spends on naming the token.
func BenchmarkRawDigest(b *testing.B) {
	tok := issueMany(b, newKeyring(b, token.EdDSA), 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		sha256.Sum256([]byte(tok))
	}
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
