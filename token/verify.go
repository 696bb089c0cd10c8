package token

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Config says which tokens a [Verifier] accepts.
type Config struct {
	// Issuers are the accepted values of iss. Empty: no token is accepted.
	Issuers []string

	// Audiences are the accepted values of aud; a token needs one of them.
	// Empty: no token is accepted.
	Audiences []string

	// AnyAudience accepts tokens whatever their aud. It is for an issuer that
	// is asked about tokens for others (RFC 7662): who sets it compares
	// Claims.Audience himself.
	AnyAudience bool

	// MaxLength is how many bytes a token has at most. Zero: the constant
	// MaxLength.
	MaxLength int

	// CacheSize is how many tokens are remembered at most, so that their
	// signatures need not be checked again. Those used longest ago are
	// forgotten first. An entry takes about 600 bytes. Where tokens are so large
	// that entries take more than 1 kB on average, fewer are remembered. Zero:
	// 16,384; negative: none.
	CacheSize int

	// Leeway is how far iat and nbf may lie ahead, for clocks that differ.
	// Zero: 5 seconds; negative: none. There is none for exp.
	Leeway time.Duration
}

// A Verifier checks access tokens against a keyring. It is safe for concurrent
// use.
type Verifier struct {
	config Config
	keys   atomic.Pointer[Keyring]
	cache  *cache
}

// NewVerifier returns a verifier that accepts nothing until
// [Verifier.SetKeyring] has been called.
func NewVerifier(c Config) *Verifier {
	c.Issuers = slices.Clone(c.Issuers)
	c.Audiences = slices.Clone(c.Audiences)
	if c.MaxLength <= 0 {
		c.MaxLength = MaxLength
	}
	if c.CacheSize == 0 {
		c.CacheSize = 16 << 10
	}
	if c.Leeway == 0 {
		c.Leeway = 5 * time.Second
	}
	c.Leeway = max(c.Leeway, 0)
	v := &Verifier{config: c, cache: newCache(max(c.CacheSize, 0))}
	v.keys.Store(newKeyring(nil))
	return v
}

// SetKeyring makes k the keyring that counts from now on. Tokens of keys that
// are not in it are refused at once, remembered ones too.
func (v *Verifier) SetKeyring(k *Keyring) { v.keys.Store(k) }

// Verify checks a token and returns what it says. It accepts a token that one
// of our keys signed, for one of our issuers and audiences, and whose time is
// neither over nor to come. Every error matches [ErrInvalid].
//
// The slices in the claims are shared with later calls: don't change them. A
// text of theirs may keep 4 kB in memory, and up to 64 kB where more than 128
// thousand tokens are remembered: clone what you keep for long.
func (v *Verifier) Verify(tok string, now time.Time) (claims Claims, err error) {
	err = v.VerifyInto(&claims, tok, now)
	return claims, err
}

// VerifyInto is Verify, and puts what the token says where it is to stay: claims
// are large, and each copy of them costs. If there is an error, they are zero.
func (v *Verifier) VerifyInto(claims *Claims, tok string, now time.Time) error {
	err := v.read(claims, tok, now)
	if err == nil {
		err = v.check(claims, now)
	}
	if err != nil {
		*claims = Claims{}
	}
	return err
}

// read fills in the claims of a token that one of our keys signed.
func (v *Verifier) read(claims *Claims, tok string, now time.Time) error {
	if len(tok) > v.config.MaxLength {
		return ErrMalformed
	}
	key := v.keys.Load().keyFor(tok)
	if key == nil || !key.verifies(now) {
		if strings.Count(tok, ".") != 2 {
			return ErrMalformed
		}
		return ErrUnknownKey
	}
	// The cache holds what can't change, and the header names the key by its
	// thumbprint, so an entry stays right whatever becomes of the keyring. The
	// verdict is made anew each time.
	text := textOf(key, tok)
	if v.cache.get(&text, claims) {
		return nil
	}
	var err error
	if *claims, err = authenticate(key, tok); err != nil {
		return err
	}
	v.cache.add(&text, claims)
	return nil
}

// authenticate checks the signature, then reads the claims.
func authenticate(key *key, tok string) (Claims, error) {
	payload, signature, ok := strings.Cut(tok[len(key.header)+1:], ".")
	if !ok {
		return Claims{}, ErrMalformed
	}
	var sigBuf [rsaBits / 8]byte
	sig, err := decodeSegment(sigBuf[:0], signature) // refuses further dots
	if err != nil {
		return Claims{}, err
	}
	signed := append(make([]byte, 0, 1<<10), tok[:len(tok)-len(signature)-1]...) // on the stack, for most
	if !validSignature(key.public, signed, sig) {
		return Claims{}, ErrSignature
	}
	var textBuf [512]byte
	text, err := decodeSegment(textBuf[:0], payload)
	if err != nil {
		return Claims{}, err
	}
	return parseClaims(string(text))
}

// decodeSegment appends what a segment stands for. It accepts the one canonical
// spelling.
func decodeSegment(b []byte, segment string) ([]byte, error) {
	if strings.IndexByte(segment, '\n') >= 0 || strings.IndexByte(segment, '\r') >= 0 {
		return nil, ErrMalformed // the decoder would pass over them
	}
	b, err := strictBase64.AppendDecode(b, []byte(segment))
	if err != nil {
		return nil, ErrMalformed // the cause would quote the token
	}
	return b, nil
}

// check judges the claims at that time.
func (v *Verifier) check(c *Claims, now time.Time) error {
	switch ahead := now.Add(v.config.Leeway); {
	case !slices.Contains(v.config.Issuers, c.Issuer):
		return ErrIssuer
	case !v.config.AnyAudience && !v.isAudience(c.Audience):
		return ErrAudience
	case !now.Before(c.Expires):
		return ErrExpired
	case c.IssuedAt.After(ahead), c.NotBefore.After(ahead):
		return ErrNotYetValid
	}
	return nil
}

func (v *Verifier) isAudience(audience []string) bool {
	for _, a := range audience {
		if slices.Contains(v.config.Audiences, a) {
			return true
		}
	}
	return false
}
