package memory

import (
	"hash/maphash"
	"sync"

	"github.com/counterfoil/counterfoil/store"
)

// Guards let a session be read while others change. Each belongs to the ids
// whose hashes begin alike. Who reads a session holds its guard for reading; who
// changes it holds the store's lock and its guard; and who changes several in
// one transaction holds all guards, so that no reader sees a part of it.
//
// A guard is held for the work on one session, or for one transaction, and who
// holds one waits for nothing else. All of them are taken in their order, by
// whoever holds the store's lock.
type guards struct {
	seed maphash.Seed
	each [guardCount]guard
}

const (
	guardBits  = 6 // of a hash
	guardCount = 1 << guardBits
)

// A guard has a cache line for itself, so that readers on different processors
// don't disturb each other.
type guard struct {
	sync.RWMutex
	_ [40]byte
}

func newGuards() *guards { return &guards{seed: maphash.MakeSeed()} }

// hash is what guards and indexes go by.
func (g *guards) hash(id store.SID) uint64 { return maphash.Bytes(g.seed, id[:]) }

// guardOf returns the number of a guard.
func guardOf(hash uint64) int { return int(hash >> (64 - guardBits)) }

func (g *guards) of(hash uint64) *guard { return &g.each[guardOf(hash)] }

// Lock takes all guards for writing.
func (g *guards) Lock() {
	for i := range g.each {
		g.each[i].Lock()
	}
}

// Unlock gives back what Lock has taken.
func (g *guards) Unlock() {
	for i := range g.each {
		g.each[i].Unlock()
	}
}
