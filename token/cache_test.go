package token_test

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

// DESIGN: "caches signature and claims, never the verdict".
func TestCacheHoldsNoVerdict(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	tok := sign(t, keys, someClaims(), start)
	remembering := func(t *testing.T) *token.Verifier {
		v := newVerifier(keys)
		if _, err := v.Verify(tok, start); err != nil {
			t.Fatal(err)
		}
		if v.Remembered() != 1 {
			t.Fatal("the token is not remembered, so this shows nothing")
		}
		return v
	}
	t.Run("expiry", func(t *testing.T) {
		v := remembering(t)
		if _, err := v.Verify(tok, start.Add(life-1)); err != nil {
			t.Error(err)
		}
		refuse(t, v, tok, start.Add(life), token.ErrExpired)
	})
	t.Run("a clock set back", func(t *testing.T) {
		refuse(t, remembering(t), tok, start.Add(-time.Hour), token.ErrNotYetValid)
	})
	t.Run("a removed key (req 51)", func(t *testing.T) {
		v := remembering(t)
		v.SetKeyring(newKeyring(t, token.EdDSA))
		refuse(t, v, tok, start, token.ErrUnknownKey)
		v.SetKeyring(keys)
		if _, err := v.Verify(tok, start); err != nil {
			t.Errorf("the key is back: %v", err)
		}
	})
	t.Run("a key whose time is over", func(t *testing.T) {
		c := someClaims()
		c.Expires = start.Add(time.Hour)
		long := sign(t, keys, c, start)
		v := remembering(t)
		rotated, err := keys.Rotate(token.EdDSA, start, life)
		if err != nil {
			t.Fatal(err)
		}
		v.SetKeyring(rotated)
		over := start.Add(token.Lead + life + token.Margin)
		if _, err := v.Verify(long, over.Add(-1)); err != nil {
			t.Error(err)
		}
		refuse(t, v, long, over, token.ErrUnknownKey)
	})
	t.Run("the same signature under another text", func(t *testing.T) {
		v := remembering(t)
		header, p, signature := segments(tok)
		other, _, _ := segments(sign(t, newKeyring(t, token.EdDSA), someClaims(), start))
		refuse(t, v, header+"."+b64(payload(t))+"."+signature, start, token.ErrSignature)
		refuse(t, v, header+"."+p+"A."+signature, start, token.ErrSignature)
		refuse(t, v, other+"."+p+"."+signature, start, token.ErrUnknownKey)
	})
}

// The cache compares the beginning of a signature and a digest of the rest: no
// byte of it may differ, and none may be missing.
func TestCacheComparesTheWholeSignature(t *testing.T) {
	for _, alg := range algorithms {
		keys := newKeyring(t, alg)
		v := newVerifier(keys)
		tok := sign(t, keys, someClaims(), start)
		if _, err := v.Verify(tok, start); err != nil || !v.Remembers(tok) {
			t.Fatalf("%s: %v", alg, err)
		}
		_, _, signature := segments(tok)
		for i := len(tok) - len(signature); i < len(tok); i++ {
			changed := []byte(tok)
			changed[i] ^= 1
			for _, tok := range []string{string(changed), tok[:i], tok[:i] + tok[i+1:]} {
				if _, err := v.Verify(tok, start); err == nil {
					t.Fatalf("%s: accepted %s", alg, tok)
				}
			}
		}
		if v.Remembered() != 1 {
			t.Errorf("%s: %d tokens are remembered", alg, v.Remembered())
		}
	}
}

func TestCacheRemembersNoRefusedToken(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := newVerifier(keys)
	header, p, signature := segments(sign(t, keys, someClaims(), start))
	for _, tok := range []string{
		header + "." + p + "." + strings.Repeat("A", len(signature)),
		keys.SignRaw(keys.Header(), payload(t, `"sid":"sid-1",`, "")),
		keys.SignRaw(keys.Header(), payload(t)+"x"),
	} {
		if _, err := v.Verify(tok, start); err == nil {
			t.Errorf("accepted %s", tok)
		}
	}
	if n := v.Remembered(); n != 0 {
		t.Errorf("%d refused tokens are remembered", n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	const size = 64
	keys := newKeyring(t, token.EdDSA)
	v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}, CacheSize: size})
	v.SetKeyring(keys)
	toks := issueMany(t, keys, 10*size)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, tok := range toks {
				if _, err := v.Verify(tok, start); err != nil {
					t.Error(err)
				}
				if n := v.Remembered(); n > size {
					t.Errorf("%d tokens are remembered after %d, at most %d may be", n, i+1, size)
					return
				}
			}
		})
	}
	wg.Wait()
	if v.Remembered() < size/4 {
		t.Errorf("only %d tokens are remembered of %d", v.Remembered(), size)
	}
}

// What is remembered says what was read, and goes on saying it when it was
// forgotten long ago.
func TestCacheKeepsTheClaims(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}, CacheSize: 64, MaxLength: 100_000})
	v.SetKeyring(keys)
	read := map[string]token.Claims{} // what a first check reads
	for i := range 500 {
		c := someClaims()
		c.SessionID = fmt.Sprint("session-", i)
		c.Subject = strings.Repeat("s", 1+i*i%1021)
		switch i % 5 {
		case 0:
			c.Methods = []string{"pwd", fmt.Sprint("otp-", i)} // more kinds than there is room for
		case 1:
			c.Username, c.AuthTime, c.NotBefore = "Jörg \"x\"", start.Add(-time.Hour), start
		case 2:
			c.Audience = []string{api, fmt.Sprint("aud-", i)}
		case 3:
			c.AuthTime = time.Unix(0, 0).UTC()
		}
		tok := sign(t, keys, c, start)
		if i == 250 {
			tok = keys.SignRaw(keys.Header(), strings.TrimSuffix(payload(t), "}")+`,"x":"`+strings.Repeat("x", 70_000)+`"}`)
		}
		first, err := newVerifier(keys).Verify(tok, start)
		if i == 250 {
			first, err = v.Verify(tok, start)
		}
		if err != nil {
			t.Fatal(err)
		}
		read[tok] = first
	}
	kept := map[string]token.Claims{}
	for range 3 {
		for tok, want := range read {
			for range 2 {
				got, err := v.Verify(tok, start)
				if err != nil || !v.Remembers(tok) {
					t.Fatalf("%v: %+v is not remembered", err, want)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("remembered %+v, read %+v", got, want)
				}
				kept[tok] = got
			}
		}
	}
	for tok, got := range kept {
		if !reflect.DeepEqual(got, read[tok]) {
			t.Fatalf("what was remembered has changed: %+v, read %+v", got, read[tok])
		}
	}
}

// Where many tokens are to be remembered, many are in one block.
func TestLargeCacheKeepsTheClaims(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}, CacheSize: 2 << 20})
	v.SetKeyring(keys)
	toks := issueMany(t, keys, 500)
	read := make([]token.Claims, len(toks))
	for i, tok := range toks {
		var err error
		if read[i], err = v.Verify(tok, start); err != nil {
			t.Fatal(err)
		}
	}
	if n := v.RememberedBytes(); n < 3*64<<10 {
		t.Fatalf("all is in %d bytes, so this shows nothing", n)
	}
	for i, tok := range toks {
		got, err := v.Verify(tok, start)
		if err != nil || !v.Remembers(tok) || !reflect.DeepEqual(got, read[i]) {
			t.Fatalf("%v: remembered %+v, read %+v", err, got, read[i])
		}
	}
	if v.Remembered() != len(toks) {
		t.Errorf("%d tokens are remembered of %d", v.Remembered(), len(toks))
	}
}

// Config: "Where tokens are so large that entries take more than 1 kB on
// average, fewer are remembered."
func TestCacheIsBoundedForLargeTokens(t *testing.T) {
	const size = 256
	keys := newKeyring(t, token.EdDSA)
	v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}, CacheSize: size})
	v.SetKeyring(keys)
	for i := range 2 * size {
		c := someClaims()
		c.SessionID = fmt.Sprint("session-", i)
		c.Subject = strings.Repeat("s", 4000)
		if _, err := v.Verify(sign(t, keys, c, start), start); err != nil {
			t.Fatal(err)
		}
	}
	if n := v.Remembered(); n < size/20 || n > size/4 {
		t.Errorf("%d tokens of 6 kB are remembered", n)
	}
	if n := v.RememberedBytes(); n > size<<10 {
		t.Errorf("they take %d bytes", n)
	}
}

// "The hidden part of the token is not kept, so what is read out of memory opens
// nothing": it is the second number of a signature that has two, or else all.
func TestCacheKeepsNoSignature(t *testing.T) {
	for _, alg := range algorithms {
		keys := newKeyring(t, alg)
		v := newVerifier(keys)
		tok := sign(t, keys, someClaims(), start)
		if _, err := v.Verify(tok, start); err != nil {
			t.Fatal(err)
		}
		_, p, signature := segments(tok)
		raw, err := base64.RawURLEncoding.DecodeString(signature)
		if err != nil {
			t.Fatal(err)
		}
		first, hidden := len(raw)/2, len(signature)/2
		if alg == token.RS256 {
			first, hidden = 0, 0
		}
		text := v.RememberedText()
		if !strings.Contains(text, p) {
			t.Fatal("the token is not remembered, so this shows nothing")
		}
		for part := range slices.Chunk([]byte(signature[hidden:]), 8) {
			if strings.Contains(text, string(part)) && len(part) == 8 {
				t.Errorf("%s: a part of the signature is in the cache", alg)
			}
		}
		if strings.Contains(text, string(raw[first:][:16])) {
			t.Errorf("%s: the signature is in the cache, decoded", alg)
		}
	}
}

// What is in use stays, however many others come by.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}, CacheSize: 64})
	v.SetKeyring(keys)
	used := sign(t, keys, someClaims(), start)
	check := func(tok string) {
		if _, err := v.Verify(tok, start); err != nil {
			t.Fatal(err)
		}
	}
	check(used)
	for _, tok := range issueMany(t, keys, 640) {
		if check(tok); !v.Remembers(used) {
			t.Fatal("a token in constant use was forgotten")
		}
	}
	unused := issueMany(t, keys, 640)
	check(unused[0])
	for _, tok := range unused {
		check(tok)
	}
	if v.Remembers(unused[0]) {
		t.Error("a token is never forgotten, so this shows nothing")
	}
}

func TestRepeatedCheckAllocatesNothing(t *testing.T) {
	for _, alg := range algorithms {
		keys := newKeyring(t, alg)
		v := newVerifier(keys)
		tok := sign(t, keys, someClaims(), start)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := v.Verify(tok, start); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", alg, n)
		}
	}
}

// Keys are swapped while others check: run with -race.
func TestVerifierIsConcurrent(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	rotated, err := keys.Rotate(token.ES256, start, life)
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(keys)
	toks := issueMany(t, keys, 50)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, tok := range toks {
				if _, err := v.Verify(tok, start); err != nil {
					t.Errorf("a token of a key that is in both keyrings: %v", err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 100 {
			v.SetKeyring(rotated)
			v.SetKeyring(keys)
		}
	})
	wg.Wait()
}

// The claims of a remembered token are shared: what one caller appends, another
// must not see.
func TestClaimsMayBeAppendedTo(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	v := newVerifier(keys)
	c := someClaims()
	c.Methods = []string{"pwd", "otp", "mfa"}
	tok := sign(t, keys, c, start)
	var appended [2][]string
	for i, method := range []string{"hwk", "swk"} {
		claims, err := v.Verify(tok, start)
		if err != nil {
			t.Fatal(err)
		}
		appended[i] = append(claims.Methods, method)
	}
	if got := appended[0][3]; got != "hwk" {
		t.Errorf("appended hwk, got %s", got)
	}
}
