package store

import (
	"encoding/binary"
	"time"
)

// ListSize is how many sessions a status list has places for.
const ListSize = 1 << listBits

const (
	listBits  = 20
	placeBits = 32 + listBits // of the list's number and the index in it
)

// NewListedSID makes a session id that carries a place: the number of a status
// list, and an index in it, below [ListSize]. Its layout is that of UUID version
// 8 (RFC 9562 section 5.8): 48 bits of the time as in other ids, 22 random bits,
// and the place. It is unique where the place is.
func NewListedSID(now time.Time, list, index uint32) SID {
	id := NewSID(now)
	id[6] = id[6]&0x0f | 0x80
	place := uint64(list)<<listBits | uint64(index%ListSize)
	low := binary.BigEndian.Uint64(id[8:])>>placeBits<<placeBits | place
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}

// Listed returns the place that an id of [NewListedSID] carries; false: it is
// another kind of id.
func (id SID) Listed() (list, index uint32, ok bool) {
	if id[6]>>4 != 8 {
		return 0, 0, false
	}
	place := binary.BigEndian.Uint64(id[8:])
	return uint32(place >> listBits), uint32(place % ListSize), true
}
