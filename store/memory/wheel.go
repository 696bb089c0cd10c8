package memory

import "math/bits"

// A wheel keeps sessions by the time at which they are due to be looked at: when
// they expire, unless they are used again. Use moves nobody in it. Who turns out
// to have been used when he is due is put back until his new time. So a purge
// touches nobody but who has expired, and once in each idle time who has not.
//
// It is a timing wheel in levels, as in Varghese and Lauck, "Hashed and
// Hierarchical Timing Wheels" (1987). A bucket of level n holds those whose time
// differs from the wheel's in the n-th group of six bits and in none above. A
// bucket whose time has come is opened: who is not due yet goes to a finer one.
type wheel struct {
	time     int64                    // nobody is due earlier but those in the opened bucket
	heads    [wheelLevels*64 + 1]slot // of each bucket, the opened one last
	occupied [wheelLevels]uint64      // the buckets that are not empty
}

const (
	wheelLevels = 8 // of six bits of milliseconds: the year 10889
	opened      = wheelLevels * 64
)

// bucket returns the number of the bucket for that time.
func (w *wheel) bucket(due int64) int {
	due = min(max(due, w.time), 1<<(6*wheelLevels)-1)
	level := max(bits.Len64(uint64(due^w.time))-1, 0) / 6
	return level*64 + int(due>>(6*level)&63)
}

// first returns the bucket that is due first, when that begins, and when it has
// ended.
func (w *wheel) first() (number int, start, end int64, ok bool) {
	for level, occupied := range w.occupied {
		if occupied != 0 {
			digit := bits.TrailingZeros64(occupied)
			shift := 6 * level
			start = w.time>>shift>>6<<6<<shift | int64(digit)<<shift
			return level*64 + digit, start, start + 1<<shift, true
		}
	}
	return 0, 0, 0, false
}

// due returns one whose time may have come. Whoever asks takes him out.
func (w *wheel) due(now int64, s *slabs) (i slot, ok bool) {
	for w.heads[opened] == 0 {
		b, start, end, ok := w.first()
		if !ok || start > now {
			w.time = max(w.time, now) // every bucket is after that
			return 0, false
		}
		w.time = max(w.time, min(now, end-1)) // every other bucket is after that
		w.open(b, s)
	}
	return w.heads[opened], true
}

func (w *wheel) open(b int, s *slabs) {
	i := w.heads[b]
	w.heads[opened], w.heads[b] = i, 0
	w.occupied[b/64] &^= 1 << (b % 64)
	s.at(i).setPrev(atDue, opened)
}

// add puts a piece into the bucket for the time at which it expires.
func (w *wheel) add(i slot, s *slabs) {
	p := s.at(i)
	b := w.bucket(p.expires())
	s.link(atDue, i, slot(b), w.heads[b])
	w.heads[b] = i
	w.occupied[b/64] |= 1 << (b % 64)
}

// remove takes a piece out. The first of a bucket has the bucket's number in the
// place of a slot before it: no slot is that low.
func (w *wheel) remove(i slot, s *slabs) {
	next, prev := s.unlink(atDue, i)
	if prev >= firstSlot {
		return
	}
	w.heads[prev] = next
	if next == 0 && prev != opened {
		w.occupied[prev/64] &^= 1 << (prev % 64)
	}
}

// replace notes where a piece is now.
func (w *wheel) replace(i slot, s *slabs) {
	s.relink(atDue, i)
	if prev := s.at(i).prev(atDue); prev < firstSlot {
		w.heads[prev] = i
	}
}
