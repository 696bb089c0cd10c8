package memory

import "encoding/binary"

// A slot is the place of a piece in its slabs: where it starts, in granules. It
// is that piece's as long as the piece is there.
type slot uint32

// Slabs keep small pieces of bytes in large pages, so that a million of them
// are a few thousand objects for the garbage collector, with no pointer inside.
// What is freed is used again for pieces of about the same size; it is not
// returned to the system.
//
// A piece begins with its length in two bytes, which is never 0.
//
// A page is never moved, nor is what leads to it: a piece can be read while
// another is stored.
type slabs struct {
	pages [pageGroups]*[groupPages]*[slabPage]byte
	count int // of pages; the first is none
	max   int
	slabs [slabClasses]slab
}

// A slab hands out pieces of one size.
type slab struct {
	next, end slot // what is left of its newest page
	freed     slot // the piece freed last; its first bytes name the one before
}

const (
	granule     = 8 // a slot names 32 GiB
	slabPage    = pageSlots * granule
	pageSlots   = 1 << 12
	firstSlot   = slot(pageSlots) // no piece has a lower one
	groupPages  = 1 << 10
	pageGroups  = 1 << 10
	maxPages    = groupPages*pageGroups - 1
	smallStep   = granule // sizes up to smallLimit are rounded up to multiples of this
	smallLimit  = 512
	largeStep   = 128
	maxPiece    = 4096
	slabClasses = smallLimit/smallStep + (maxPiece-smallLimit)/largeStep
)

func newSlabs() slabs { return slabs{count: 1, max: maxPages} }

// class returns the slab for pieces of n bytes, and the size of its pieces.
func class(n int) (i, size int) {
	if n <= smallLimit {
		i = (n - 1) / smallStep
		return i, (i + 1) * smallStep
	}
	i = (n - smallLimit - 1) / largeStep
	return smallLimit/smallStep + i, smallLimit + (i+1)*largeStep
}

// alloc stores a piece and returns where, or 0 if there is no room.
func (s *slabs) alloc(p piece) slot {
	c, size := class(len(p))
	slab := &s.slabs[c]
	i, granules := slab.freed, slot(size/granule)
	switch {
	case i != 0:
		slab.freed = slot(binary.LittleEndian.Uint32(s.from(i)))
		clear(s.from(i)[:4])
	case slab.end-slab.next < granules:
		if s.count >= s.max {
			return 0
		}
		slab.next = s.page()
		slab.end = slab.next + pageSlots
		fallthrough
	default:
		i = slab.next
		slab.next += granules
	}
	s.put(i, p)
	return i
}

// page adds a page and returns its first slot.
func (s *slabs) page() slot {
	group := &s.pages[s.count/groupPages]
	if *group == nil {
		*group = new([groupPages]*[slabPage]byte)
	}
	(*group)[s.count%groupPages] = new([slabPage]byte)
	s.count++
	return slot(s.count-1) * pageSlots
}

// from returns what the page holds from a slot on.
func (s *slabs) from(i slot) []byte {
	page := s.pages[i/pageSlots/groupPages][i/pageSlots%groupPages]
	return page[i%pageSlots*granule:]
}

// at returns a piece. It is valid until the piece is freed.
func (s *slabs) at(i slot) piece {
	b := s.from(i)
	return b[:binary.LittleEndian.Uint16(b)]
}

// fits reports whether a piece fits into the place of another.
func (s *slabs) fits(i slot, p piece) bool {
	here, _ := class(len(s.at(i)))
	there, _ := class(len(p))
	return here == there
}

// put puts a piece into a place that it fits.
func (s *slabs) put(i slot, p piece) {
	b := s.from(i)
	if old := int(binary.LittleEndian.Uint16(b)); old > len(p) {
		clear(b[len(p):old])
	}
	copy(b, p)
	binary.LittleEndian.PutUint16(b, uint16(len(p)))
}

// free frees the place of a piece.
func (s *slabs) free(i slot) {
	p := s.at(i)
	c, _ := class(len(p))
	clear(p) // what a session held is not kept longer than the session
	binary.LittleEndian.PutUint32(p, uint32(s.slabs[c].freed))
	s.slabs[c].freed = i
}
