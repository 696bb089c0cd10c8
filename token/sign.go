package token

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"
	"unicode/utf8"
)

// MaxLength is how many bytes a token that we issue has at most.
const MaxLength = 8 << 10

// strictBase64 has one spelling for every value: it refuses spare bits at the
// end that are not zero.
var strictBase64 = base64.RawURLEncoding.Strict()

// Sign issues a token with these claims, signed by the key whose turn it is at
// that time. It fails where a required claim is missing, where a claim can't be
// written down (invalid UTF-8, a year beyond 9999), and where the token would
// exceed [MaxLength].
func (k *Keyring) Sign(c Claims, now time.Time) (string, error) {
	if c.ID == "" {
		c.ID = newID()
	}
	if c.IssuedAt.IsZero() {
		c.IssuedAt = now
	}
	if !c.complete() {
		return "", errors.New("token: issuer, subject, audience, session id and expiry are required")
	}
	payload := c.append(make([]byte, 0, 512))
	if !c.inBounds() || !utf8.Valid(payload) {
		return "", errors.New("token: the claims hold invalid UTF-8, an impossible date or too long a list")
	}
	key := k.signer(now)
	return key.sign(key.header, payload)
}

// newID returns 128 random bits.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return strictBase64.EncodeToString(id[:])
}
