package memory

import (
	"hash/maphash"
	"iter"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A slot is the place of a session in the table, as long as it is there.
type slot uint32

// A table holds sessions and finds them by id and by user. Next to nothing in
// it is a pointer: a million sessions cost the garbage collector as much as a
// thousand pages.
type table struct {
	seed    maphash.Seed
	byID    index
	byUser  index // the first of each user's chain
	records [][]record
	used    int    // slots that were ever used
	freed   uint32 // the slot freed last, plus one; its next names the one before
	count   int
	hand    int // where the next sweep begins

	pieces slabs
	agents agents
	buffer []byte // for packing
}

// A record is the part of a session that has a fixed size. The rest is a packed
// entry.
type record struct {
	id       store.SID
	secret   store.Digest
	lastSeen int64 // Unix milliseconds
	expires  int64 // Unix milliseconds
	piece    uint32
	size     uint32 // of the packed entry; zero: the slot is free
	// The user's other sessions: slots plus one; zero: none.
	next, prev uint32
}

const recordPage = 1024

func newTable() *table {
	return &table{seed: maphash.MakeSeed(), pieces: newSlabs(), agents: newAgents()}
}

func (t *table) len() int { return t.count }

// slots returns how many slots there are to sweep or list, free ones included.
func (t *table) slots() int { return t.used }

func (t *table) at(i slot) *record { return &t.records[i/recordPage][i%recordPage] }

func (t *table) packed(r *record) packed { return t.pieces.bytes(r.piece, int(r.size)) }

func (t *table) hashID(id store.SID) uint64 { return maphash.Bytes(t.seed, id[:]) }

func (t *table) find(id store.SID) (slot, bool) {
	return t.byID.find(t.hashID(id), func(i slot) bool { return t.at(i).id == id })
}

func (t *table) id(i slot) store.SID { return t.at(i).id }

func (t *table) live(i slot, now time.Time) bool {
	r := t.at(i)
	return r.size != 0 && now.UnixMilli() < r.expires
}

// session returns the session in a slot, without AsOf.
func (t *table) session(i slot) (s store.Session) {
	r := t.at(i)
	p := t.packed(r)
	h := p.head()
	p.session(&h, &s)
	t.complete(&s, r, h.agent)
	return s
}

// load returns an entry. Its values are valid until the table changes.
func (t *table) load(i slot) entry {
	r := t.at(i)
	e := t.packed(r).unpack()
	t.complete(&e.Session, r, e.agent)
	return e
}

// complete adds what is not packed.
func (t *table) complete(s *store.Session, r *record, agent uint32) {
	s.ID, s.Secret, s.LastSeen = r.id, r.secret, fromMilli(r.lastSeen)
	if agent != 0 {
		s.UserAgent = t.agents.text(agent)
	}
}

// add adds an entry whose id is not there.
func (t *table) add(e entry) {
	i := t.place()
	e.agent = t.agents.take(e.UserAgent)
	*t.at(i) = record{id: e.ID, secret: e.Secret}
	t.write(t.at(i), &e)
	t.byID.add(t.hashID(e.ID), i)
	if e.User != "" {
		t.link(i, e.User)
	}
	t.count++
}

// save replaces an entry by a changed copy of what load returned.
func (t *table) save(i slot, e entry) {
	t.write(t.at(i), &e)
}

func (t *table) write(r *record, e *entry) {
	t.buffer = e.pack(t.buffer[:0]) // before freeing: e.values may be the old bytes
	if r.size != 0 {
		t.pieces.free(r.piece, int(r.size))
	}
	r.piece, r.size = t.pieces.alloc(t.buffer), uint32(len(t.buffer))
	r.lastSeen, r.expires = e.LastSeen.UnixMilli(), e.Expires().UnixMilli()
	if cap(t.buffer) > slabPage {
		t.buffer = nil
	}
}

// touch moves LastSeen forward.
func (t *table) touch(i slot, at time.Time) {
	r := t.at(i)
	if ms := at.UnixMilli(); ms > r.lastSeen {
		p := t.packed(r)
		h := p.head()
		r.lastSeen, r.expires = ms, min(ms+h.idle, h.deadline)
	}
}

// place returns a free slot.
func (t *table) place() slot {
	if t.freed != 0 {
		i := slot(t.freed - 1)
		t.freed = t.at(i).next
		return i
	}
	if t.used == len(t.records)*recordPage {
		t.records = append(t.records, make([]record, recordPage))
	}
	t.used++
	return slot(t.used - 1)
}

// remove removes a session and frees its slot.
func (t *table) remove(i slot) {
	r := t.at(i)
	p := t.packed(r)
	t.byID.remove(t.hashID(r.id), i)
	if user := p.user(); len(user) > 0 {
		t.unlink(i, user)
	}
	t.agents.release(p.head().agent)
	t.pieces.free(r.piece, int(r.size))
	*r = record{next: t.freed}
	t.freed = uint32(i) + 1
	t.count--
}

// first returns the first session of the user's chain.
func (t *table) first(hash uint64, user string) (slot, bool) {
	return t.byUser.find(hash, func(i slot) bool { return string(t.packed(t.at(i)).user()) == user })
}

// link puts a session second in its user's chain: the index need not change.
func (t *table) link(i slot, user string) {
	hash := maphash.String(t.seed, user)
	first, ok := t.first(hash, user)
	if !ok {
		t.byUser.add(hash, i)
		return
	}
	f, r := t.at(first), t.at(i)
	r.next, r.prev = f.next, uint32(first)+1
	if f.next != 0 {
		t.at(slot(f.next - 1)).prev = uint32(i) + 1
	}
	f.next = uint32(i) + 1
}

func (t *table) unlink(i slot, user []byte) {
	r := t.at(i)
	if r.next != 0 {
		t.at(slot(r.next - 1)).prev = r.prev
	}
	switch hash := maphash.Bytes(t.seed, user); {
	case r.prev != 0:
		t.at(slot(r.prev - 1)).next = r.next
	case r.next != 0:
		t.byUser.replace(hash, i, slot(r.next-1))
	default:
		t.byUser.remove(hash, i)
	}
}

// ofUser goes through the user's sessions, dead ones included, newest first but
// for the first. The table must not change meanwhile.
func (t *table) ofUser(user string) iter.Seq[slot] {
	return func(yield func(slot) bool) {
		i, ok := t.first(maphash.String(t.seed, user), user)
		for ok && yield(i) {
			next := t.at(i).next
			i, ok = slot(next-1), next != 0
		}
	}
}

// sweep looks at the next slots, removes what has expired, and stops after so
// many removals. It returns how many slots it looked at and how many sessions
// it removed.
func (t *table) sweep(now time.Time, slots, removals int) (looked, removed int) {
	for looked < min(slots, t.used) && removed < removals {
		if t.hand >= t.used {
			t.hand = 0
		}
		i := slot(t.hand)
		if t.at(i).size != 0 && !t.live(i, now) {
			t.remove(i)
			removed++
		}
		t.hand++
		looked++
	}
	return looked, removed
}
