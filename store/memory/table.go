package memory

import (
	"bytes"
	"hash/maphash"
	"iter"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A table holds sessions and finds them by id, by user and by time. Next to
// nothing in it is a pointer: a million sessions cost the garbage collector as
// much as some ten thousand pages. To find one takes two looks into memory that
// no processor cache holds: at a cell of an index, and at the piece.
//
// Whoever changes it holds the store's lock, and so does who goes by user or by
// time. Who finds by id, and reads anything of a piece but its links, needs only
// the id's guard, which the methods that change those expect to be held as well.
type table struct {
	guards *guards
	byID   index
	far    [guardCount]map[slot][]byte // values that are too long for a piece
	byUser index                       // the first of each user's sessions
	wheel  wheel
	count  int

	pieces slabs
	agents agents
	buffer []byte // for packing
}

func newTable(now time.Time, g *guards) *table {
	return &table{
		guards: g,
		wheel:  wheel{time: now.UnixMilli()},
		pieces: newSlabs(),
		agents: newAgents(),
	}
}

func (t *table) len() int { return t.count }

func (t *table) hashID(id store.SID) uint64 { return t.guards.hash(id) }

func (t *table) hashUser(user []byte) uint64 { return maphash.Bytes(t.guards.seed, user) }

func (t *table) find(id store.SID) (slot, bool) {
	return t.byID.find(t.hashID(id), func(i slot) bool { return t.id(i) == id })
}

func (t *table) id(i slot) store.SID { return t.pieces.at(i).id() }

func (t *table) live(i slot, now time.Time) bool {
	return now.UnixMilli() < t.pieces.at(i).expires()
}

// session reads the session in a slot, without AsOf.
func (t *table) session(i slot, s *store.Session) {
	p := t.pieces.at(i)
	p.session(s)
	if agent := p.agent(); agent != 0 {
		s.UserAgent = t.agents.text(agent)
	}
}

// values returns a session's values, nil if there are none, and their version.
// They are valid until the table changes.
func (t *table) values(i slot) ([]byte, uint64) {
	p := t.pieces.at(i)
	_, version, values := p.values()
	if p.has(flagFar) {
		values = t.far[guardOf(t.hashID(p.id()))][i]
	}
	return values, version
}

// refresh returns a session's refresh tokens.
func (t *table) refresh(i slot) refresh {
	tokens, _ := t.pieces.at(i).refresh()
	return unpackRefresh(tokens)
}

// setRefresh replaces the refresh tokens of a session that has some.
func (t *table) setRefresh(i slot, r refresh) {
	tokens, _ := t.pieces.at(i).refresh()
	r.pack(tokens[:0])
}

// touch moves LastSeen forward. The wheel learns of it when the session is due.
func (t *table) touch(i slot, at time.Time) {
	p := t.pieces.at(i)
	p.setMillis(atLastSeen, max(p.millis(atLastSeen), at.UnixMilli()))
}

// add adds an entry whose id is not there. It reports whether there was room.
func (t *table) add(e entry) bool {
	e.agent = t.agents.take(e.UserAgent)
	t.buffer = e.pack(t.buffer[:0])
	i := t.pieces.alloc(t.buffer)
	if i == 0 {
		t.agents.release(e.agent)
		return false
	}
	hash := t.hashID(e.ID)
	t.setFar(hash, i, e.values)
	t.byID.add(hash, i)
	if e.User != "" {
		t.link(i, e.User)
	}
	t.wheel.add(i, &t.pieces)
	t.count++
	return true
}

// save replaces a session's values. It reports whether there was room.
func (t *table) save(i slot, version uint64, values []byte) bool {
	before, _, _ := t.pieces.at(i).values()
	t.buffer = append(t.buffer[:0], before...)
	piece(t.buffer).set(flagFar, len(values) > maxNear)
	t.buffer = appendValues(t.buffer, version, values)
	to := t.replace(i, t.buffer)
	if to == 0 {
		return false
	}
	hash := t.hashID(t.id(to))
	t.setFar(hash, i, nil)
	t.setFar(hash, to, values)
	return true
}

// setFar keeps the values that are too long for the piece in a slot, or none.
func (t *table) setFar(hash uint64, i slot, values []byte) {
	far := &t.far[guardOf(hash)]
	if len(values) <= maxNear {
		delete(*far, i)
		return
	}
	if *far == nil {
		*far = map[slot][]byte{}
	}
	(*far)[i] = bytes.Clone(values)
}

// replace puts another piece in the place of a session's, and returns where it
// is: elsewhere, if its length needs a place of another size; 0, if there is no
// room for that.
func (t *table) replace(i slot, p piece) slot {
	to := i
	if t.pieces.fits(i, p) {
		t.pieces.put(i, p)
	} else if to = t.pieces.alloc(p); to != 0 {
		t.move(i, to)
	} else {
		return 0
	}
	return to
}

// move lets all that leads to one slot lead to a copy in another.
func (t *table) move(from, to slot) {
	p := t.pieces.at(to)
	t.byID.replace(t.hashID(p.id()), from, to)
	t.pieces.relink(atUser, to)
	if user := p.user(); len(user) > 0 && p.prev(atUser) == 0 {
		t.byUser.replace(t.hashUser(user), from, to)
	}
	t.wheel.replace(to, &t.pieces)
	t.pieces.free(from)
}

// remove removes a session.
func (t *table) remove(i slot) {
	hash := t.hashID(t.id(i))
	p, at := t.byID.place(hash, i)
	t.forget(hash, i, p, at)
	t.discard(i)
}

// forget lets no id lead to a slot any more.
func (t *table) forget(hash uint64, i slot, p *part, at int) {
	p.clear(at)
	t.setFar(hash, i, nil)
}

// discard removes what is left of a session that no id leads to, and frees its
// slot. It needs no guard.
func (t *table) discard(i slot) {
	p := t.pieces.at(i)
	if user := p.user(); len(user) > 0 {
		t.unlink(i, user)
	}
	t.wheel.remove(i, &t.pieces)
	t.agents.release(p.agent())
	t.pieces.free(i)
	t.count--
}

// removeAlone is remove for who holds no guard. It takes the session's for some
// ten nanoseconds: what has to wait for memory is done before and after.
func (t *table) removeAlone(i slot) {
	hash := t.hashID(t.id(i))
	p, at := t.byID.place(hash, i)
	g := t.guards.of(hash)
	g.Lock()
	t.forget(hash, i, p, at)
	g.Unlock()
	t.discard(i)
}

// expire removes sessions that have expired. It stops after so many steps, or
// when nobody is due any more, and tells which. Whoever calls it holds no guard.
func (t *table) expire(now time.Time, steps int) (removed int, done bool) {
	for range steps {
		i, ok := t.wheel.due(now.UnixMilli(), &t.pieces)
		if !ok {
			return removed, true
		}
		if t.live(i, now) { // it was used meanwhile
			t.wheel.remove(i, &t.pieces)
			t.wheel.add(i, &t.pieces)
			continue
		}
		t.removeAlone(i)
		removed++
	}
	return removed, false
}

// first returns the first of the user's sessions.
func (t *table) first(hash uint64, user string) (slot, bool) {
	return t.byUser.find(hash, func(i slot) bool { return string(t.pieces.at(i).user()) == user })
}

// link puts a session second among its user's: the index need not change.
func (t *table) link(i slot, user string) {
	hash := maphash.String(t.guards.seed, user)
	if first, ok := t.first(hash, user); ok {
		t.pieces.link(atUser, i, first, t.pieces.at(first).next(atUser))
	} else {
		t.byUser.add(hash, i)
	}
}

func (t *table) unlink(i slot, user []byte) {
	switch next, prev := t.pieces.unlink(atUser, i); {
	case prev != 0:
	case next != 0:
		t.byUser.replace(t.hashUser(user), i, next)
	default:
		t.byUser.remove(t.hashUser(user), i)
	}
}

// ofUser goes through the user's sessions, dead ones included, newest first but
// for the first. The table must not change meanwhile.
func (t *table) ofUser(user string) iter.Seq[slot] {
	return func(yield func(slot) bool) {
		i, ok := t.first(maphash.String(t.guards.seed, user), user)
		for ok && yield(i) {
			i = t.pieces.at(i).next(atUser)
			ok = i != 0
		}
	}
}
