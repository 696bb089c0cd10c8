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

	agent uint16 // the reference to UserAgent, if agents keeps it
}

// A piece is an entry as the slabs hold it. What a check always needs has a
// fixed place in front, so that it is read without decoding. Then come
//
//	the lengths of the texts, the texts, AuthTime, Lineage, the refresh
//	tokens, the version of the values, the values
//
// of which the flags say what is there. Integers are little-endian, times are
// Unix milliseconds: in front, where the store has stamped them or they are when
// a session ends, in six bytes, which cover the years 1970 to 10889.
type piece []byte

// The places in a piece.
const (
	atAgent    = 2 // behind the length of the piece
	atUser     = 4 // the user's sessions: a link
	atDue      = 12
	atID       = 20
	atSecret   = 36
	atLastSeen = 68
	atCreated  = 74
	atDeadline = 80
	atIdle     = 86
	atFlags    = 92
	atTexts    = 93
)

// The flags of a piece.
const (
	flagPersistent = 1 << iota
	flagAuthTime   // AuthTime is not what it usually is
	flagLineage
	flagRefresh
	flagFar // the values stand elsewhere
)

// maxNear is how many bytes of values stand in the piece: with the longest
// texts it still is no longer than maxPiece.
const maxNear = 1024

// pack appends the entry as a piece whose links are empty.
func (e *entry) pack(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, atTexts)...)
	p := piece(b[start:])
	binary.LittleEndian.PutUint16(p[atAgent:], e.agent)
	copy(p[atID:], e.ID[:])
	copy(p[atSecret:], e.Secret[:])
	p.setMillis(atLastSeen, e.LastSeen.UnixMilli())
	p.setMillis(atCreated, e.Created.UnixMilli())
	p.setMillis(atDeadline, e.Deadline.UnixMilli())
	p.setMillis(atIdle, e.Idle.Milliseconds())
	p.set(flagPersistent, e.Persistent)
	p.set(flagAuthTime, e.AuthTime.UnixMilli() != usualAuthTime(e.User != "", p.millis(atCreated)))
	p.set(flagLineage, !e.Lineage.IsZero())
	p.set(flagRefresh, e.refresh.exists())
	p.set(flagFar, len(e.values) > maxNear)

	b = appendTexts(b, e)
	if p.has(flagAuthTime) {
		b = binary.LittleEndian.AppendUint64(b, uint64(e.AuthTime.UnixMilli()))
	}
	if p.has(flagLineage) {
		b = append(b, e.Lineage[:]...)
	}
	if p.has(flagRefresh) {
		b = e.refresh.pack(b)
	}
	return appendValues(b, e.version, e.values)
}

// appendTexts appends the lengths and then the texts, so that they are read as
// one string.
func appendTexts(b []byte, e *entry) []byte {
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
	return b
}

// appendValues appends the last part of a piece.
func appendValues(b []byte, version uint64, values []byte) []byte {
	b = binary.AppendUvarint(b, version)
	if len(values) > maxNear {
		return b
	}
	return append(b, values...)
}

// usualAuthTime is what the store stamps.
func usualAuthTime(hasUser bool, created int64) int64 {
	if hasUser {
		return created
	}
	return time.Time{}.UnixMilli()
}

func (p piece) int(at int) int64 { return int64(binary.LittleEndian.Uint64(p[at:])) }

const maxMillis = 1<<48 - 1

// millis reads six bytes, as the lower ones of eight: two more always follow.
func (p piece) millis(at int) int64 { return p.int(at) & maxMillis }

// setMillis writes six bytes. What is too early or too late for them stays so.
func (p piece) setMillis(at int, v int64) {
	v = min(max(v, 0), maxMillis)
	binary.LittleEndian.PutUint32(p[at:], uint32(v))
	binary.LittleEndian.PutUint16(p[at+4:], uint16(v>>32))
}

func (p piece) has(flag byte) bool { return p[atFlags]&flag != 0 }

func (p piece) set(flag byte, on bool) {
	p[atFlags] &^= flag
	if on {
		p[atFlags] |= flag
	}
}

func (p piece) agent() uint16 { return binary.LittleEndian.Uint16(p[atAgent:]) }

func (p piece) id() store.SID { return store.SID(p[atID:]) }

// expires is when the session ends if it is not used again.
func (p piece) expires() int64 {
	return min(p.millis(atLastSeen)+p.millis(atIdle), p.millis(atDeadline))
}

// texts returns the lengths of the texts, and what follows them.
func (p piece) texts() (lengths [5]int, rest piece) {
	rest = p[atTexts:]
	for i := range lengths {
		n, size := uint64(rest[0]), 1
		if n >= 0x80 { // as texts seldom are
			n, size = binary.Uvarint(rest)
		}
		lengths[i], rest = int(n), rest[size:]
	}
	return lengths, rest
}

func sum(lengths [5]int) (total int) {
	for _, n := range lengths {
		total += n
	}
	return total
}

// user returns the bytes of the user's id.
func (p piece) user() []byte {
	lengths, rest := p.texts()
	return rest[:lengths[0]]
}

// session reads the session into s, but for a user agent that is not here, and
// returns what follows.
func (p piece) session(s *store.Session) (rest piece) {
	s.ID, s.Secret = p.id(), store.Digest(p[atSecret:])
	created := p.millis(atCreated)
	s.Created, s.LastSeen, s.Deadline = fromMilli(created), fromMilli(p.millis(atLastSeen)), fromMilli(p.millis(atDeadline))
	s.Idle = time.Duration(p.millis(atIdle)) * time.Millisecond
	s.Persistent = p.has(flagPersistent)

	lengths, rest := p.texts()
	all := string(rest[:sum(lengths)])
	rest = rest[len(all):]
	s.User, all = all[:lengths[0]], all[lengths[0]:]
	s.Name, all = all[:lengths[1]], all[lengths[1]:]
	s.Methods, all = all[:lengths[2]], all[lengths[2]:]
	s.Address, s.UserAgent = all[:lengths[3]], all[lengths[3]:]
	auth := usualAuthTime(lengths[0] > 0, created)
	if p.has(flagAuthTime) {
		auth, rest = rest.int(0), rest[8:]
	}
	s.AuthTime = fromMilli(auth)
	if p.has(flagLineage) {
		s.Lineage, rest = store.SID(rest), rest[len(s.Lineage):]
	}
	return rest
}

// refresh returns the refresh tokens' bytes, which may be none, and what
// follows.
func (p piece) refresh() (tokens, rest piece) {
	lengths, rest := p.texts()
	skip := sum(lengths)
	if p.has(flagAuthTime) {
		skip += 8
	}
	if p.has(flagLineage) {
		skip += len(store.SID{})
	}
	rest = rest[skip:]
	if !p.has(flagRefresh) {
		return nil, rest
	}
	return rest[:refreshSize], rest[refreshSize:]
}

// values returns the values and their version, if they are here, and all that
// stands before them.
func (p piece) values() (before piece, version uint64, values []byte) {
	_, rest := p.refresh()
	version, n := binary.Uvarint(rest)
	return p[:len(p)-len(rest)], version, rest[n:]
}

// fromMilli returns the zero time for what was zero.
func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
