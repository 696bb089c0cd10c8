package counterfoil

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

const (
	// SecureCookieName is the session cookie's name on https. Browsers accept
	// the prefix only with Secure, Path=/ and no Domain, so no sibling domain
	// can plant it (ASVS 3.3.3).
	SecureCookieName = "__Host-counterfoil"
	// SharedCookieName is its name with Config.CookieDomain: Secure as well, but a
	// sibling domain can plant it.
	SharedCookieName = "__Secure-counterfoil"
	// LoopbackCookieName is its name on plain http: on loopback, or with
	// Config.InsecureHTTP. Browsers do not tell the ports of a host apart here:
	// two sites on localhost take each other's cookie.
	LoopbackCookieName = "counterfoil"

	// maxCookieHeader bounds what is searched for the cookie: more than a
	// browser sends for one site.
	maxCookieHeader = 16 << 10
)

// cookieEncoding takes one spelling for each value: no padding, no loose bits.
var cookieEncoding = base64.RawURLEncoding.Strict()

// cookieLength is the length of the cookie's value: the session's id and its
// secret, in base64url.
const cookieLength = (len(store.SID{}) + len(secret{})) * 8 / 6

// A secret is the part of the cookie that nobody can guess: 256 random bits
// (ASVS 7.2.3). The store has its digest only.
type secret [32]byte

func newSecret() (s secret) {
	rand.Read(s[:]) // never fails since Go 1.24: it ends the program instead
	return s
}

// digest is what the store keeps. The secret has 256 random bits, so a plain
// hash can't be searched.
func (s *secret) digest() store.Digest { return sha256.Sum256(s[:]) }

func (s *secret) matches(d store.Digest) bool {
	ours := s.digest()
	return subtle.ConstantTimeCompare(ours[:], d[:]) == 1
}

func (s *secret) isZero() bool { return *s == secret{} }

// A cookieValue is a session cookie, read or about to be written.
type cookieValue struct {
	id     store.SID
	secret secret
}

func (c *cookieValue) encode() string {
	var raw [len(c.id) + len(c.secret)]byte
	copy(raw[:], c.id[:])
	copy(raw[len(c.id):], c.secret[:])
	return cookieEncoding.EncodeToString(raw[:])
}

func decodeCookie(value string) (c cookieValue, ok bool) {
	if len(value) != cookieLength {
		return c, false
	}
	var text [cookieLength]byte
	var raw [len(c.id) + len(c.secret) + 2]byte // room for Decode to write eight bytes at a time to the end
	copy(text[:], value)
	if n, err := cookieEncoding.Decode(raw[:], text[:]); err != nil || n != len(raw)-2 {
		return c, false
	}
	copy(c.id[:], raw[:])
	copy(c.secret[:], raw[len(c.id):])
	return c, true
}

// findCookie returns the value of the named cookie, and whether there is one.
// It reads strictly: the name must match to the letter, and the same name with
// two values is an error, because it can't be told which one the site has set
// (a sibling domain may have planted the other).
func findCookie(h http.Header, name string) (value string, found bool, err error) {
	size := 0
	for _, line := range h["Cookie"] {
		if size += len(line); size > maxCookieHeader {
			return "", false, ErrBadCookie
		}
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			n, v, _ := strings.Cut(textproto.TrimString(pair), "=")
			if n != name {
				continue
			}
			if found && v != value {
				return "", false, ErrBadCookie
			}
			value, found = v, true
		}
	}
	return value, found, nil
}

// sessionCookie is the Set-Cookie of a session. Without Max-Age it ends with
// the browser; the server's time-outs hold in either case.
func (m *Manager) sessionCookie(s *Session, secret secret) *http.Cookie {
	cookie := m.emptyCookie()
	value := cookieValue{s.id, secret}
	cookie.Value = value.encode()
	if s.persistent {
		cookie.MaxAge = max(int(s.Deadline().Sub(s.asOf.time())/time.Second), 1)
	}
	return cookie
}

// expiredCookie makes the browser forget the session cookie.
func (m *Manager) expiredCookie() *http.Cookie {
	cookie := m.emptyCookie()
	cookie.MaxAge = -1
	return cookie
}

func (m *Manager) emptyCookie() *http.Cookie {
	return &http.Cookie{
		Name:     m.cookieName,
		Path:     "/",
		Domain:   m.config.CookieDomain, // with it goes SharedCookieName
		Secure:   m.cookieName != LoopbackCookieName,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}
