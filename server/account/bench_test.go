package account

import (
	"path/filepath"
	"testing"
)

// BenchmarkHash is one password hash at the full cost.
func BenchmarkHash(b *testing.B) {
	h := newHasher(defaultCost, 1)
	b.ReportAllocs()
	for b.Loop() {
		h.hash(good)
	}
}

// BenchmarkCheckPassword judges a new password: no hash, no database.
func BenchmarkCheckPassword(b *testing.B) {
	for b.Loop() {
		if err := checkPassword(good, []string{"john"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAuthenticate is one login at the full cost.
func BenchmarkAuthenticate(b *testing.B) { benchmarkAuthenticate(b, defaultCost) }

// BenchmarkThrottle is the same with next to no hash: what the throttle takes.
func BenchmarkThrottle(b *testing.B) { benchmarkAuthenticate(b, cheap) }

func benchmarkAuthenticate(b *testing.B, c cost) {
	a, err := Open(b.Context(), filepath.Join(b.TempDir(), "counterfoil.db"), Config{cost: c})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	add(b, a, "john")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := login(b, a, "john", good, here); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
