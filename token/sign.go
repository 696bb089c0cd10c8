package token

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxLength is how many bytes an access token that we issue has at most.
	MaxLength = 8 << 10

	// MaxJWTLength is the same for what SignJWT signs: a status list with a
	// million places, of which any may be taken, has to fit.
	MaxJWTLength = 256 << 10
)

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
	return key.sign(key.header, payload, MaxLength)
}

// SignJWT signs another JWT than an access token, such as a logout token or a
// security event token: typ is what it is (RFC 8725 section 3.11), and payload a
// JSON object. Nobody takes it for an access token, whatever stands in it: the
// header differs. It fails for the typ of access tokens, and where the token
// would exceed [MaxJWTLength].
func (k *Keyring) SignJWT(typ string, payload []byte, now time.Time) (string, error) {
	if !isType(typ) || strings.EqualFold(typ, accessTokenType) {
		return "", errors.New("token: the typ of a JWT is a short word, and not that of access tokens")
	}
	key := k.signer(now)
	header := fmt.Sprintf(headerFormat, key.Algorithm, key.ID, typ)
	return key.sign(strictBase64.EncodeToString([]byte(header)), payload, MaxJWTLength)
}

// isType reports whether a text is a media type without the application/ that
// it may leave out.
func isType(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") == ""
}

// sign puts a token together and signs it, unless it is longer than that. The
// buffers are large enough for most, so that nothing but the token is allocated.
func (k *key) sign(header string, payload []byte, most int) (string, error) {
	tok := append(append(make([]byte, 0, 1<<10), header...), '.')
	tok = strictBase64.AppendEncode(tok, payload)
	sig, err := appendSignature(make([]byte, 0, rsaBits/8), k.private, tok)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	tok = strictBase64.AppendEncode(append(tok, '.'), sig)
	if len(tok) > most {
		return "", fmt.Errorf("token: %d bytes are too long: shorten the claims to fit %d", len(tok), most)
	}
	return string(tok), nil
}

// newID returns 128 random bits.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return strictBase64.EncodeToString(id[:])
}
