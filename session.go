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
	record  store.Session
	current bool
}

// ID is the session's public name, a UUID. It may be shown and logged: it opens
// nothing. Empty if there is no session.
func (s *Session) ID() string {
	if s.record.ID.IsZero() {
		return ""
	}
	return s.record.ID.String()
}

// Active reports whether a user is logged in.
func (s *Session) Active() bool { return s.record.User != "" }

// User is the stable id of the user who is logged in; empty: nobody.
func (s *Session) User() string { return s.record.User }

// Name is the user's name for display, as Login was given it.
func (s *Session) Name() string { return s.record.Name }

// Methods is how the user proved who he is: amr values (RFC 8176).
func (s *Session) Methods() []string { return strings.Fields(s.record.Methods) }

// Created is when the session began.
func (s *Session) Created() time.Time { return s.record.Created }

// AuthTime is when the user proved who he is; zero if nobody is logged in.
func (s *Session) AuthTime() time.Time { return s.record.AuthTime }

// LastSeen is when the session was last used. It lags by up to a twentieth of
// the idle time-out, at most a minute.
func (s *Session) LastSeen() time.Time { return s.record.LastSeen }

// Expires is when the session ends if it is not used again.
func (s *Session) Expires() time.Time { return s.record.Expires() }

// Deadline is when the session ends however much it is used.
func (s *Session) Deadline() time.Time { return s.record.Deadline }

// UserAgent is the User-Agent of the request that began the session, cut to
// 512 bytes. The client chose it: escape it.
func (s *Session) UserAgent() string { return s.record.UserAgent }

// Address is the client's address when the session began.
func (s *Session) Address() string { return s.record.Address }

// Persistent reports whether the user asked to be kept signed in.
func (s *Session) Persistent() bool { return s.record.Persistent }

// Current reports whether this is the session of the request at hand.
func (s *Session) Current() bool { return s.current }

// HasCookie reports whether a browser's cookie carries the session; otherwise
// an API client holds it by tokens alone.
func (s *Session) HasCookie() bool { return s.record.Secret != store.Digest{} }
