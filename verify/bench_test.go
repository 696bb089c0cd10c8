package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
	"github.com/counterfoil/counterfoil/verify"
)

// BenchmarkCheck checks tokens again that were seen before: the same one, as a
// service does whose user asks many times, or each of a million in turn; by one
// processor, or by all; among so many sessions that have ended.
func BenchmarkCheck(b *testing.B) {
	for _, c := range []struct{ tokens, ended int }{{1, 0}, {1, 1_000_000}, {1_000_000, 100_000}} {
		b.Run(fmt.Sprintf("tokens=%d/ended=%d", c.tokens, c.ended), func(b *testing.B) {
			v, signed := benchVerifier(b, c.tokens, c.ended)
			b.Run("one", func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					if _, err := v.Check(b.Context(), signed[n]); err != nil {
						b.Fatal(err)
					}
					if n++; n == len(signed) {
						n = 0
					}
				}
			})
			b.Run("all", func(b *testing.B) {
				b.ReportAllocs()
				var mu sync.Mutex
				began := 0
				b.RunParallel(func(pb *testing.PB) {
					mu.Lock()
					n := began
					began = (began + len(signed)/2) % len(signed)
					mu.Unlock()
					for pb.Next() {
						if _, err := v.Check(b.Context(), signed[n]); err != nil {
							b.Error(err)
							return
						}
						if n++; n == len(signed) {
							n = 0
						}
					}
				})
			})
		})
	}
}

// benchVerifier returns a verifier that has seen so many tokens, the tokens in
// an order that no prefetcher guesses, and knows of so many ended sessions.
func benchVerifier(b *testing.B, tokens, ended int) (*verify.Verifier, []string) {
	i := newIssuer(b)
	i.endMany(ended)
	keys, err := token.NewKeyring(token.EdDSA, time.Now())
	check(b, err)
	signed := make([]string, tokens)
	inParallel(tokens, func(n int) {
		now := time.Now()
		id := store.NewSID(now)
		signed[n], err = keys.Sign(token.Claims{
			Issuer: issuerURL, Subject: fmt.Sprintf("u_%08d", n), Audience: []string{issuerURL},
			SessionID: id.String(), AuthTime: now, Expires: now.Add(10 * time.Minute),
			Methods: []string{"pwd"}, Username: fmt.Sprintf("user-%d", n),
		}, now)
		if err != nil {
			panic(err)
		}
	})
	v := i.readyVerifier(func(c *verify.Config) {
		c.Policy, c.CacheSize = verify.Strict, max(4*tokens, 16<<10)
		c.Transport = withKeys{c.Transport, keys}
	})
	if got := v.Status().Entries; got < ended {
		b.Fatalf("the verifier knows of %d", got)
	}
	inParallel(tokens, func(n int) {
		if _, err := v.Check(b.Context(), signed[n]); err != nil {
			panic(err)
		}
	})
	for n := range signed { // neither in the order of the cache, nor in that of the heap
		m := (n * 7919) % len(signed)
		signed[n], signed[m] = signed[m], signed[n]
	}
	return v, signed
}

func inParallel(n int, do func(int)) {
	var work sync.WaitGroup
	for p := range runtime.NumCPU() {
		work.Go(func() {
			for i := p; i < n; i += runtime.NumCPU() {
				do(i)
			}
		})
	}
	work.Wait()
}

// withKeys answers the question for the issuer's keys itself.
type withKeys struct {
	http.RoundTripper
	keys *token.Keyring
}

func (w withKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/.well-known/jwks.json" {
		return w.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(w.keys.JWKS())), Request: r}, nil
}

// endMany puts so many ended sessions into the log.
func (i *issuer) endMany(n int) {
	entries := make([]store.Entry, 0, store.MaxBatch)
	for n > 0 {
		expires := time.Now().Add(12 * time.Minute)
		for len(entries) < min(cap(entries), n) {
			entries = append(entries, store.Entry{Kind: store.SessionEnded, Session: store.NewSID(time.Now()), Expires: expires})
		}
		check(i.t, i.store.Merge(context.Background(), entries))
		n -= len(entries)
		entries = entries[:0]
	}
}

// A request that is let through costs the copy of it that the handler gets.
func TestHandlerAllocatesOnce(t *testing.T) {
	i := newIssuer(t)
	v := i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict })
	h := v.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if claims, ok := verify.FromContext(r.Context()); !ok || claims.Subject == "" {
			t.Error("nobody asks")
		}
	}))
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+i.logIn())
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n >= 2 { // what runs beside it counts, too
		t.Errorf("%v allocations", n)
	}
}

// TestCheckAllocatesNothing: a token that was seen before costs no memory.
func TestCheckAllocatesNothing(t *testing.T) {
	i := newIssuer(t)
	v := i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict })
	token := i.logIn()
	ctx := t.Context()
	work := func() {
		if _, err := v.Check(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(1000, work); n >= 1 { // what runs beside it counts, too
		t.Errorf("%v allocations", n)
	}
}
