package memory

import (
	"encoding/binary"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// An entry is what the store keeps of one session.
type entry struct {
	store.Session // without AsOf
	version       uint64
	values        []byte
	refresh       refresh

	agent uint32 // the reference to UserAgent, if agents keeps it
}

// The flags of a packed entry.
const (
	flagPersistent = 1 << iota
	flagRefresh
	flagLineage
)

// pack appends what the session's record does not hold. Texts stand in one
// piece behind their lengths, so that they are read as one string.
func (e *entry) pack(b []byte) []byte {
	flags := byte(0)
	if e.Persistent {
		flags |= flagPersistent
	}
	if e.refresh.exists() {
		flags |= flagRefresh
	}
	if !e.Lineage.IsZero() {
		flags |= flagLineage
	}
	created := e.Created.UnixMilli()
	b = append(b, flags)
	b = binary.AppendVarint(b, created)
	b = binary.AppendVarint(b, e.Deadline.UnixMilli()-created)
	b = binary.AppendVarint(b, e.Idle.Milliseconds())
	b = binary.AppendVarint(b, e.AuthTime.UnixMilli()-created)
	b = binary.AppendUvarint(b, e.version)
	b = binary.AppendUvarint(b, uint64(e.agent))
	texts := [...]string{e.User, e.Name, e.Methods, e.Address, e.UserAgent}
	if e.agent != 0 {
		texts[4] = ""
	}
	for _, text := range texts {
		b = binary.AppendUvarint(b, uint64(len(text)))
	}
	for _, text := range texts {
		b = append(b, text...)
	}
	if !e.Lineage.IsZero() {
		b = append(b, e.Lineage[:]...)
	}
	if e.refresh.exists() {
		b = e.refresh.pack(b)
	}
	return append(b, e.values...)
}

func (r *refresh) pack(b []byte) []byte {
	b = append(b, r.family[:]...)
	b = append(b, r.current[:]...)
	b = append(b, r.previous[:]...)
	b = append(b, r.sealed[:]...)
	return binary.AppendVarint(b, r.rotated.UnixMilli())
}

// A packed reads what pack has written, in that order.
type packed []byte

func (p *packed) byte() byte {
	b := (*p)[0]
	*p = (*p)[1:]
	return b
}

func (p *packed) int() int64 {
	v, n := binary.Varint(*p)
	*p = (*p)[n:]
	return v
}

func (p *packed) uint() uint64 {
	v, n := binary.Uvarint(*p)
	*p = (*p)[n:]
	return v
}

func (p *packed) bytes(n int) []byte {
	b := (*p)[:n:n]
	*p = (*p)[n:]
	return b
}

func (p *packed) digest() [32]byte { return [32]byte(p.bytes(32)) }

// A head is the part of a packed entry that has no texts.
type head struct {
	flags                         byte
	created, deadline, idle, auth int64 // milliseconds
	version                       uint64
	agent                         uint32
	texts                         [5]int // lengths: user, name, methods, address, user agent
}

func (p *packed) head() (h head) {
	h.flags = p.byte()
	h.created = p.int()
	h.deadline = p.int() + h.created
	h.idle = p.int()
	h.auth = p.int() + h.created
	h.version = p.uint()
	h.agent = uint32(p.uint())
	for i := range h.texts {
		h.texts[i] = int(p.uint())
	}
	return h
}

// user returns the bytes of a packed entry's user.
func (p packed) user() []byte {
	h := p.head()
	return p.bytes(h.texts[0])
}

// unpack reads an entry. Its values are the packed bytes themselves: who keeps
// them longer than the lock copies them.
func (p packed) unpack() (e entry) {
	h := p.head()
	p.session(&h, &e.Session)
	e.version, e.agent = h.version, h.agent
	if h.flags&flagRefresh != 0 {
		e.refresh = p.refresh()
	}
	e.values = p
	return e
}

// session reads what follows the head of the session itself.
func (p *packed) session(h *head, s *store.Session) {
	s.Persistent = h.flags&flagPersistent != 0
	s.Created, s.Deadline, s.AuthTime = fromMilli(h.created), fromMilli(h.deadline), fromMilli(h.auth)
	s.Idle = time.Duration(h.idle) * time.Millisecond

	total := 0
	for _, n := range h.texts {
		total += n
	}
	all := string(p.bytes(total))
	for i, text := range [...]*string{&s.User, &s.Name, &s.Methods, &s.Address, &s.UserAgent} {
		*text, all = all[:h.texts[i]], all[h.texts[i]:]
	}
	if h.flags&flagLineage != 0 {
		s.Lineage = store.SID(p.bytes(len(s.Lineage)))
	}
}

func (p *packed) refresh() (r refresh) {
	r.family, r.current, r.previous, r.sealed = p.digest(), p.digest(), p.digest(), p.digest()
	r.rotated = fromMilli(p.int())
	return r
}

// fromMilli returns the zero time for what was zero.
func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
