package verify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/verify"
)

// BenchmarkCheck checks one token again and again, as a service does whose user
// asks many times, among so many sessions that have ended.
func BenchmarkCheck(b *testing.B) {
	for _, ended := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("ended=%d", ended), func(b *testing.B) {
			i := newIssuer(b)
			token := i.logIn()
			entries := make([]store.Entry, 0, store.MaxBatch)
			expires := time.Now().Add(12 * time.Minute)
			for n := range ended {
				entries = append(entries, store.Entry{Kind: store.SessionEnded, Session: store.NewSID(time.Now()), Expires: expires})
				if len(entries) == cap(entries) || n == ended-1 {
					check(b, i.store.Merge(b.Context(), entries))
					entries = entries[:0]
				}
			}
			v := i.verifier(func(c *verify.Config) { c.Policy = verify.Strict })
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
			defer cancel()
			check(b, v.Ready(ctx))
			if got := v.Status().Entries; got < ended {
				b.Fatalf("the verifier knows of %d", got)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Check(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
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
