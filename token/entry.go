package token

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
)

// An entry is what can't change about a token: one of our keys signed its text,
// and these are the claims in it. It begins with numbers in a fixed form, and
// texts follow, of which the claims are parts. The hidden part of the token is
// not kept, so what is read out of memory opens nothing.
type entry string

// Where in an entry what begins.
const (
	atDates   = sha256.Size     // iat, exp, nbf, auth_time: 8 bytes each
	atLists   = atDates + 4*8   // header, iss, aud, amr: a byte each, which says where the list is
	atLengths = atLists + 4     // of the texts: 4 bytes each
	atTexts   = atLengths + 5*4 // open part of the token, sid, sub, jti, preferred_username
)

// newEntry is an entry to be written.
type newEntry struct {
	text   *text
	lists  [4]byte
	claims *Claims
}

func (n *newEntry) texts() [5]string {
	c := n.claims
	return [...]string{n.text.open, c.SessionID, c.Subject, c.ID, c.Username}
}

func (n *newEntry) size() int {
	size := atTexts
	for _, text := range n.texts() {
		size += len(text)
	}
	return size
}

func (n *newEntry) write(b *strings.Builder) {
	c := n.claims
	var fixed [atTexts]byte
	id := n.text.digest()
	f := append(fixed[:0], id[:]...)
	for _, t := range [...]time.Time{c.IssuedAt, c.Expires, c.NotBefore, c.AuthTime} {
		f = binary.LittleEndian.AppendUint64(f, packDate(t))
	}
	f = append(f, n.lists[:]...)
	for _, text := range n.texts() {
		f = binary.LittleEndian.AppendUint32(f, uint32(len(text)))
	}
	b.Write(f)
	for _, text := range n.texts() {
		b.WriteString(text)
	}
}

// is reports whether the entry is of a token with these parts, of which id is the
// digest.
func (e entry) is(t *text, id *digest) bool {
	n := len(t.open)
	if e.length(0) != n {
		return false
	}
	return string(e[:atDates]) == string(id[:]) && string(e[atTexts:][:n]) == t.open
}

// header says where the list is that holds the header segment.
func (e entry) header() byte { return e[atLists] }

// read fills in the claims.
func (e entry) read(c *Claims, lists *[maxLists][]string) {
	c.Issuer = lists[e[atLists+1]][0]
	c.Audience = lists[e[atLists+2]]
	c.Methods = lists[e[atLists+3]]
	c.IssuedAt, c.Expires, c.NotBefore, c.AuthTime = e.date(0), e.date(1), e.date(2), e.date(3)
	texts := string(e[atTexts+e.length(0):])
	c.SessionID, texts = texts[:e.length(1)], texts[e.length(1):]
	c.Subject, texts = texts[:e.length(2)], texts[e.length(2):]
	c.ID, texts = texts[:e.length(3)], texts[e.length(3):]
	c.Username = texts[:e.length(4)]
	c.ClientID, c.Status = "", nil // which parseClaims does not read either
}

func (e entry) length(i int) int {
	s := e[atLengths+4*i:][:4]
	return int(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

func (e entry) date(i int) time.Time {
	s := e[atDates+8*i:][:8]
	return unpackDate(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
}

// packDate makes a number of a date from 1970 on, of which parseClaims accepts
// whole seconds; zero is none.
func packDate(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.Unix()) + 1
}

func unpackDate(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(int64(n-1), 0).UTC()
}
