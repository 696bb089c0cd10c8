package counterfoil

import (
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A Session says who asks and since when. It is a snapshot: it does not change,
// and it is safe for concurrent use. The zero Session is that of a visitor who
// has none.
type Session struct {
	// What they mean stands at store.Session. Every request makes a Session, so
	// it takes as few bytes as it may.
	id                       store.SID
	lineage                  *store.SID // nil: the session is the first of its line
	user, name, methods      string
	userAgent, address       string
	created, authTime        millis
	lastSeen, deadline, asOf millis
	idle                     time.Duration
	persistent, hasCookie    bool

	current bool
}

// millis is a time with the precision of stores, in a third of a time.Time's
// bytes: milliseconds since the zero time.
type millis int64

const zeroTime = -62_135_596_800_000 // in milliseconds of Unix time

func toMillis(t time.Time) millis { return millis(t.UnixMilli() - zeroTime) }

func (t millis) time() time.Time { return time.UnixMilli(int64(t) + zeroTime).UTC() }

// set makes s the session of a record.
func (s *Session) set(r *store.Session) {
	s.id, s.lineage = r.ID, nil
	if !r.Lineage.IsZero() {
		lineage := r.Lineage
		s.lineage = &lineage
	}
	s.user, s.name, s.methods = r.User, r.Name, r.Methods
	s.userAgent, s.address = r.UserAgent, r.Address
	s.created, s.authTime = toMillis(r.Created), toMillis(r.AuthTime)
	s.lastSeen, s.deadline, s.asOf = toMillis(r.LastSeen), toMillis(r.Deadline), toMillis(r.AsOf)
	s.idle = r.Idle
	s.persistent, s.hasCookie = r.Persistent, r.Secret != store.Digest{}
	s.current = false
}

// record is the record that the session was made of, but for the digest of the
// cookie's secret.
func (s *Session) record() store.Session {
	r := store.Session{
		ID:   s.id,
		User: s.user, Name: s.name, Methods: s.methods,
		UserAgent: s.userAgent, Address: s.address,
		Created: s.created.time(), AuthTime: s.authTime.time(),
		LastSeen: s.lastSeen.time(), Deadline: s.deadline.time(), AsOf: s.asOf.time(),
		Idle:       s.idle,
		Persistent: s.persistent,
	}
	if s.lineage != nil {
		r.Lineage = *s.lineage
	}
	return r
}

// newSession returns the session of a record.
func newSession(r *store.Session) *Session {
	s := new(Session)
	s.set(r)
	return s
}

// ID is the session's public name, a UUID. It may be shown and logged: it opens
// nothing. Empty if there is no session.
func (s *Session) ID() string {
	if s.id.IsZero() {
		return ""
	}
	return s.id.String()
}

// Active reports whether a user is logged in.
func (s *Session) Active() bool { return s.user != "" }

// User is the stable id of the user who is logged in; empty: nobody.
func (s *Session) User() string { return s.user }

// Name is the user's name for display, as Login was given it.
func (s *Session) Name() string { return s.name }

// Methods is how the user proved who he is: amr values (RFC 8176).
func (s *Session) Methods() []string { return strings.Fields(s.methods) }

// Created is when the session began.
func (s *Session) Created() time.Time { return s.created.time() }

// AuthTime is when the user proved who he is; zero if nobody is logged in.
func (s *Session) AuthTime() time.Time { return s.authTime.time() }

// LastSeen is when the session was last used. It lags by up to a twentieth of
// the idle time-out, at most a minute.
func (s *Session) LastSeen() time.Time { return s.lastSeen.time() }

// Expires is when the session ends if it is not used again.
func (s *Session) Expires() time.Time {
	return min(s.lastSeen+millis(s.idle.Milliseconds()), s.deadline).time()
}

// Deadline is when the session ends however much it is used.
func (s *Session) Deadline() time.Time { return s.deadline.time() }

// UserAgent is the User-Agent of the request that began the session, cut to
// 512 bytes. The client chose it: escape it.
func (s *Session) UserAgent() string { return s.userAgent }

// Address is the client's address when the session began.
func (s *Session) Address() string { return s.address }

// Persistent reports whether the user asked to be kept signed in.
func (s *Session) Persistent() bool { return s.persistent }

// Current reports whether this is the session of the request at hand.
func (s *Session) Current() bool { return s.current }

// HasCookie reports whether a browser's cookie carries the session; otherwise
// an API client holds it by tokens alone.
func (s *Session) HasCookie() bool { return s.hasCookie }
