package memory

import "encoding/binary"

// Slabs keep small pieces of bytes in large pages, so that a million of them
// are a few thousand objects for the garbage collector, with no pointer inside.
// What is freed is used again for pieces of about the same size; it is not
// returned to the system.
type slabs struct {
	slabs [slabClasses]slab
	// Pieces that are too large share no page: the collector takes them back.
	large     map[uint32][]byte
	nextLarge uint32
}

const (
	smallStep   = 16 // sizes up to smallLimit are rounded up to multiples of this
	smallLimit  = 512
	mediumStep  = 64
	mediumLimit = 4096
	slabClasses = smallLimit/smallStep + (mediumLimit-smallLimit)/mediumStep
	slabPage    = 64 << 10
)

func newSlabs() slabs { return slabs{large: map[uint32][]byte{}} }

// class returns the slab for pieces of n bytes, n > 0, and the size of its
// pieces.
func class(n int) (i, size int) {
	if n <= smallLimit {
		i = (n - 1) / smallStep
		return i, (i + 1) * smallStep
	}
	i = (n - smallLimit - 1) / mediumStep
	return smallLimit/smallStep + i, smallLimit + (i+1)*mediumStep
}

// alloc stores a piece and returns its name, which together with its length
// finds it again.
func (s *slabs) alloc(piece []byte) uint32 {
	if len(piece) > mediumLimit {
		for s.large[s.nextLarge] != nil { // the names have gone round
			s.nextLarge++
		}
		s.large[s.nextLarge] = append([]byte(nil), piece...)
		return s.nextLarge
	}
	i, size := class(len(piece))
	name := s.slabs[i].alloc(size)
	copy(s.slabs[i].bytes(name, size), piece)
	return name
}

// bytes returns a piece of n bytes. It is valid until the piece is freed.
func (s *slabs) bytes(name uint32, n int) []byte {
	if n > mediumLimit {
		return s.large[name]
	}
	i, size := class(n)
	return s.slabs[i].bytes(name, size)[:n]
}

// free frees a piece of n bytes.
func (s *slabs) free(name uint32, n int) {
	if n > mediumLimit {
		delete(s.large, name)
		return
	}
	i, size := class(n)
	s.slabs[i].release(name, size)
}

// A slab holds pieces of one size.
type slab struct {
	pages [][]byte
	used  uint32 // pieces that were ever handed out
	freed uint32 // the piece freed last, plus one; its first bytes name the one before
}

func (s *slab) alloc(size int) uint32 {
	if s.freed != 0 {
		name := s.freed - 1
		s.freed = binary.LittleEndian.Uint32(s.bytes(name, size))
		return name
	}
	perPage := slabPage / size
	if int(s.used) == len(s.pages)*perPage {
		s.pages = append(s.pages, make([]byte, perPage*size))
	}
	s.used++
	return s.used - 1
}

func (s *slab) bytes(name uint32, size int) []byte {
	perPage := slabPage / size
	at := int(name) % perPage * size
	return s.pages[int(name)/perPage][at : at+size]
}

func (s *slab) release(name uint32, size int) {
	b := s.bytes(name, size)
	clear(b) // what a session held is not kept longer than the session
	binary.LittleEndian.PutUint32(b, s.freed)
	s.freed = name + 1
}
