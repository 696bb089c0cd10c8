package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// A SID is a session's public name: 128 bits in the layout of UUID version 7, or
// of version 8 where it carries a place in a status list (RFC 9562). Both order
// by time. It stands in tokens, lists and logs, and it opens nothing.
type SID [16]byte

// NewSID makes a session id: 48 bits of the time, and 74 random bits.
func NewSID(now time.Time) SID {
	var id SID
	rand.Read(id[6:]) // never fails since Go 1.24: it ends the program instead
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|uint64(id[6])<<8|uint64(id[7]))
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Time is when the id was made, by the clock of whoever made it.
func (id SID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// ParseSID reads the form that [SID.String] writes, in lower case only: an id
// has one spelling.
func ParseSID(s string) (SID, error) {
	var id SID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return SID{}, errSID
	}
	wrong := byte(0)
	for i, at := range hexPlaces {
		high, low := hexValues[s[at]], hexValues[s[at+1]]
		wrong |= high | low
		id[i] = high<<4 | low
	}
	if wrong == notHex {
		return SID{}, errSID
	}
	return id, nil
}

// hexPlaces are where the digits of each byte stand, between the hyphens.
var hexPlaces = [len(SID{})]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// hexValues are the values of the digits in lower case. By a table, because each
// check of a token reads an id.
var hexValues = func() (values [256]byte) {
	for i := range values {
		values[i] = notHex
	}
	for i := range len(hexDigits) {
		values[hexDigits[i]] = byte(i)
	}
	return values
}()

const (
	hexDigits = "0123456789abcdef"
	notHex    = 0xff
)

var errSID = fmt.Errorf("store: a session id looks like 0198c0de-0000-7000-8000-000000000000")

// String returns the id as a UUID in lower case.
func (id SID) String() string {
	b := make([]byte, 36)
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b)
}

// IsZero reports whether there is no id.
func (id SID) IsZero() bool { return id == SID{} }

// A Digest is the SHA-256 of a secret. A store keeps digests, never secrets.
type Digest [sha256.Size]byte

// A Session is the record of one browser or client.
type Session struct {
	ID SID

	// Lineage is the id of the first session in the line that this one goes on
	// with: Rotate, and a second login of the same user, replace a session by
	// the next in its line. Zero: this one is the first. A logout ends the whole
	// line, also what a concurrent request has just put in its session's place.
	Lineage SID

	Secret Digest // of the secret in the cookie; zero: the session has no cookie

	User    string // the user's stable id; empty: anonymous
	Name    string // what the user calls himself; for display
	Methods string // how he proved who he is: amr values (RFC 8176), space-separated

	UserAgent string // of the request that made the session
	Address   string // of the client that made the session, without the port

	Created  time.Time
	AuthTime time.Time     // when the user last proved who he is; zero: anonymous
	LastSeen time.Time     // by throttled touches
	Idle     time.Duration // the session ends this long after LastSeen
	Deadline time.Time     // and here at the latest

	Persistent bool // the cookie outlives the browser ("keep me signed in")

	// AsOf is the store's time when it saw the session live. It is not stored.
	// The expiry of whatever is issued on the strength of this record counts
	// from here, not from a clock that is read later.
	AsOf time.Time
}

// Expires is when the session ends if it is not used again.
func (s *Session) Expires() time.Time {
	if idle := s.LastSeen.Add(s.Idle); idle.Before(s.Deadline) {
		return idle
	}
	return s.Deadline
}

// Validate checks the limits of the record before it is stored.
func (s *Session) Validate() error {
	switch {
	case s.ID.IsZero():
		return fmt.Errorf("store: a session needs an id")
	case s.Idle < time.Millisecond:
		return fmt.Errorf("store: a session needs an idle time-out of at least 1 ms")
	case len(s.User) > MaxUser || len(s.Name) > MaxUser:
		return fmt.Errorf("%w: user and name take at most %d bytes", ErrTooLarge, MaxUser)
	case len(s.UserAgent) > MaxText || len(s.Address) > MaxText || len(s.Methods) > MaxText:
		return fmt.Errorf("%w: user agent, address and methods take at most %d bytes each", ErrTooLarge, MaxText)
	}
	return nil
}
