package feed

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A set holds the ids of ended sessions, exactly, until they expire. It has no
// pointers into it, so the garbage collector passes over millions of entries;
// it only grows, and forgets by the bucket. It takes 21 to 32 bytes an entry
// from some thousand entries on. It is safe for concurrent use.
type set struct {
	keys   [2]uint64 // of the hash: nobody can choose ids that collide
	max    int64
	count  atomic.Int64
	shards [shardCount]shard
}

const (
	shardBits  = 6
	shardCount = 1 << shardBits

	// bucketWidth is how far apart, at most, the entries of a bucket expire.
	// Wider ones are fewer, and each takes a look; but entries stay for longer.
	bucketWidth = 4 * time.Minute
)

// Shards keep a table that grows from stalling all the others.
type shard struct {
	mu      sync.RWMutex
	buckets []bucket
}

// A bucket is a hash table with open addressing for the entries that expire in
// the same few minutes. Most checks are of a session that is not in it, and a
// processor's cache holds sixteen times as many tags as ids: so hardly one looks
// at an id.
type bucket struct {
	until int64 // Unix milliseconds; all of it has expired by then
	used  int
	tags  []byte // a part of the hash of each id; zero marks a free slot
	ids   []store.SID
}

func newBucket(until int64, size int) bucket {
	return bucket{until: until, tags: make([]byte, size), ids: make([]store.SID, size)}
}

func newSet(maxEntries int) *set {
	s := &set{max: int64(maxEntries)}
	var seed [16]byte
	rand.Read(seed[:]) // never fails since Go 1.24
	s.keys = [2]uint64{binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:])}
	return s
}

func (s *set) hash(id *store.SID) uint64 {
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(id[:8])^s.keys[0], binary.LittleEndian.Uint64(id[8:])^s.keys[1])
	return hi ^ lo
}

// shard returns where the hash belongs, and a hash for within it.
func (s *set) shard(h uint64) (*shard, uint64) {
	return &s.shards[h>>(64-shardBits)], bits.RotateLeft64(h, shardBits)
}

func (s *set) contains(id store.SID) bool {
	sh, h := s.shard(s.hash(&id))
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.holds(&id, h, math.MinInt64)
}

// holds reports whether a bucket that is kept until then, or longer, has the id.
func (sh *shard) holds(id *store.SID, h uint64, until int64) bool {
	for i := range sh.buckets {
		b := &sh.buckets[i]
		if b.until < until {
			continue
		}
		if _, found := b.find(id, h); found {
			return true
		}
	}
	return false
}

// add keeps an id until at least that time. It returns false where the set is
// full: the caller must then not rely on it.
func (s *set) add(id store.SID, expires time.Time) bool {
	if id.IsZero() {
		return true // nobody's
	}
	until := bucketEnd(expires)
	sh, h := s.shard(s.hash(&id))
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.holds(&id, h, until) {
		return true
	}
	if s.count.Load() >= s.max {
		return false
	}
	i := slices.IndexFunc(sh.buckets, func(b bucket) bool { return b.until == until })
	if i < 0 {
		sh.buckets = append(sh.buckets, newBucket(until, 4))
		i = len(sh.buckets) - 1
	}
	b := &sh.buckets[i]
	if (b.used+1)*16 > len(b.ids)*13 {
		s.grow(b)
	}
	b.add(&id, h)
	s.count.Add(1)
	return true
}

func bucketEnd(expires time.Time) int64 {
	width := bucketWidth.Milliseconds()
	return (expires.UnixMilli()/width + 1) * width
}

// find returns the slot of the id, or the free one where it would go. There is
// always a free one: a table is at most 13/16 full.
func (b *bucket) find(id *store.SID, h uint64) (slot int, found bool) {
	at, _ := bits.Mul64(h, uint64(len(b.ids)))
	i, tag := int(at), tagOf(h)
	for b.tags[i] != 0 {
		if b.tags[i] == tag && b.ids[i] == *id {
			return i, true
		}
		if i++; i == len(b.ids) {
			i = 0
		}
	}
	return i, false
}

// tagOf takes other bits than those that say where to look.
func tagOf(h uint64) byte { return max(byte(h>>shardBits), 1) }

// add takes an id that is not there into a table that has room.
func (b *bucket) add(id *store.SID, h uint64) {
	i, _ := b.find(id, h)
	b.tags[i], b.ids[i] = tagOf(h), *id
	b.used++
}

// grow makes the table half as large again, so that it is never less than half
// full.
func (s *set) grow(b *bucket) {
	larger := newBucket(b.until, len(b.ids)*3/2)
	for i := range b.ids {
		if b.tags[i] != 0 {
			_, h := s.shard(s.hash(&b.ids[i]))
			larger.add(&b.ids[i], h)
		}
	}
	*b = larger
}

// prune forgets what has expired.
func (s *set) prune(now time.Time) {
	ms := now.UnixMilli()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.buckets = slices.DeleteFunc(sh.buckets, func(b bucket) bool {
			if b.until > ms {
				return false
			}
			s.count.Add(-int64(b.used))
			return true
		})
		sh.mu.Unlock()
	}
}

// all yields every id in the set, under the lock of its shard.
func (s *set) all(yield func(store.SID) bool) {
	for i := range s.shards {
		if !s.shards[i].all(yield) {
			return
		}
	}
}

func (sh *shard) all(yield func(store.SID) bool) bool {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, b := range sh.buckets {
		for i, id := range b.ids {
			if b.tags[i] != 0 && !yield(id) {
				return false
			}
		}
	}
	return true
}

// entries returns everything in the set, as log entries without a place. Each
// expires when its bucket does: a little late, never early.
func (s *set) entries() []store.Entry {
	out := make([]store.Entry, 0, s.count.Load())
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		for _, b := range sh.buckets {
			expires := time.UnixMilli(b.until).UTC()
			for i, id := range b.ids {
				if b.tags[i] != 0 {
					out = append(out, store.Entry{Kind: store.SessionEnded, Session: id, Expires: expires})
				}
			}
		}
		sh.mu.RUnlock()
	}
	return out
}
