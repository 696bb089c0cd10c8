package memory

// An index finds slots by the hash of a key: open addressing with linear
// probing. A cell holds half of the hash and the slot, so that neither probing
// nor growing has to look at the records, and the garbage collector passes it
// over. It is split in parts that grow by themselves: growing one takes
// microseconds, and no request waits for a million keys to be moved.
type index struct {
	parts [indexParts]part
}

const (
	partBits   = 12 // of a hash; at least guardBits, so that each part has one guard
	partShift  = 64 - partBits
	indexParts = 1 << partBits
)

type part struct {
	cells []cell // never full
	used  int
}

// A cell is 32 bits of the hash and the slot. Zero: free.
type cell uint64

func newCell(hash uint64, i slot) cell { return cell(hash<<32 | uint64(i)) }

func (c cell) slot() slot { return slot(c) }

func (x *index) part(hash uint64) *part { return &x.parts[hash>>partShift] }

// find returns the slot with that hash which match accepts.
func (x *index) find(hash uint64, match func(slot) bool) (slot, bool) {
	p := x.part(hash)
	if p.used == 0 {
		return 0, false
	}
	for at := p.home(newCell(hash, 0)); p.cells[at] != 0; at = p.after(at) {
		if c := p.cells[at]; c>>32 == cell(hash&0xffffffff) && match(c.slot()) {
			return c.slot(), true
		}
	}
	return 0, false
}

// add adds a slot that is not there.
func (x *index) add(hash uint64, i slot) {
	p := x.part(hash)
	if (p.used+1)*8 > len(p.cells)*7 {
		p.grow()
	}
	p.put(newCell(hash, i))
	p.used++
}

// replace puts a slot in the place of another with the same hash.
func (x *index) replace(hash uint64, old, new slot) {
	p := x.part(hash)
	p.cells[p.at(newCell(hash, old))] = newCell(hash, new)
}

// remove removes a slot that is there.
func (x *index) remove(hash uint64, i slot) {
	p, at := x.place(hash, i)
	p.clear(at)
}

// place returns where a slot is that is there.
func (x *index) place(hash uint64, i slot) (p *part, at int) {
	p = x.part(hash)
	return p, p.at(newCell(hash, i))
}

// clear empties a cell.
func (p *part) clear(hole int) {
	p.used--
	// Cells behind the hole move up, so that no probe stops there too early.
	for at := p.after(hole); p.cells[at] != 0; at = p.after(at) {
		if p.distance(p.home(p.cells[at]), at) >= p.distance(hole, at) {
			p.cells[hole] = p.cells[at]
			hole = at
		}
	}
	p.cells[hole] = 0
}

// grow adds a sixth, and what the allocator adds to that: less memory lies idle
// than with doubling.
func (p *part) grow() {
	old := p.cells
	p.cells = append([]cell(nil), make([]cell, max(8, len(old)+len(old)/6))...)
	p.cells = p.cells[:cap(p.cells)]
	for _, c := range old {
		if c != 0 {
			p.put(c)
		}
	}
}

func (p *part) put(c cell) {
	at := p.home(c)
	for p.cells[at] != 0 {
		at = p.after(at)
	}
	p.cells[at] = c
}

// at returns where a cell is that is there.
func (p *part) at(c cell) int {
	at := p.home(c)
	for p.cells[at] != c {
		at = p.after(at)
	}
	return at
}

// home is where the search for a cell starts: its hash scaled to the length.
func (p *part) home(c cell) int { return int(uint64(c>>32) * uint64(len(p.cells)) >> 32) }

// slots calls yield with each slot.
func (p *part) slots(yield func(slot) bool) {
	for _, c := range p.cells {
		if c != 0 && !yield(c.slot()) {
			return
		}
	}
}

func (p *part) after(at int) int {
	if at++; at < len(p.cells) {
		return at
	}
	return 0
}

// distance is how many steps of after lead from a to b.
func (p *part) distance(a, b int) int {
	if b >= a {
		return b - a
	}
	return b - a + len(p.cells)
}
