package memory

import "encoding/binary"

// Pieces stand in two lists, by their user and by their time. A link is two
// slots in the piece, of the next and of the previous one. What stands before
// the first is no slot: it is less than firstSlot.

func (p piece) next(list int) slot { return slot(binary.LittleEndian.Uint32(p[list:])) }
func (p piece) prev(list int) slot { return slot(binary.LittleEndian.Uint32(p[list+4:])) }

func (p piece) setNext(list int, i slot) { binary.LittleEndian.PutUint32(p[list:], uint32(i)) }
func (p piece) setPrev(list int, i slot) { binary.LittleEndian.PutUint32(p[list+4:], uint32(i)) }

// link puts a piece between two others, either of which may be none.
func (s *slabs) link(list int, i, prev, next slot) {
	p := s.at(i)
	p.setPrev(list, prev)
	p.setNext(list, next)
	s.relink(list, i)
}

// relink tells a piece's neighbours where it is.
func (s *slabs) relink(list int, i slot) {
	p := s.at(i)
	if next := p.next(list); next != 0 {
		s.at(next).setPrev(list, i)
	}
	if prev := p.prev(list); prev >= firstSlot {
		s.at(prev).setNext(list, i)
	}
}

// unlink takes a piece out from between its neighbours, and returns them.
func (s *slabs) unlink(list int, i slot) (next, prev slot) {
	p := s.at(i)
	next, prev = p.next(list), p.prev(list)
	if next != 0 {
		s.at(next).setPrev(list, prev)
	}
	if prev >= firstSlot {
		s.at(prev).setNext(list, next)
	}
	return next, prev
}
