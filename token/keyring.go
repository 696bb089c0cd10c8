package token

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// Lead is how long a new key is published before it signs. Whoever keeps a
	// copy of the keys — a node its keyring, a client the JWKS — must renew it
	// more often than that.
	Lead = 5 * time.Minute

	// Margin is how long after its last token a key still verifies, for clocks
	// that differ.
	Margin = time.Minute

	// MaxKeys is how many keys a keyring holds at most.
	MaxKeys = 16
)

// A Keyring is a set of signing keys, each with its life: published, signing,
// verifying only, gone. The keys sign one after the other without a gap.
//
// It never changes: [Keyring.Rotate] and [Keyring.Prune] return another one. It
// is safe for concurrent use.
//
// Where a private key may have leaked there is no overlap to wait for: replace
// the keyring with one from [NewKeyring], and every token of the old one is
// refused at once.
type Keyring struct {
	keys []*key // in the order in which they sign; empty only in a new Verifier
}

// KeyInfo says what a key is and when it does what.
type KeyInfo struct {
	ID            string // the kid: the key's thumbprint (RFC 7638)
	Algorithm     Algorithm
	Created       time.Time
	SignsFrom     time.Time
	SignsUntil    time.Time // zero: no successor yet
	VerifiesUntil time.Time // zero: no successor yet
}

type key struct {
	KeyInfo
	private crypto.Signer // nil where only the public key is known
	public  crypto.PublicKey
	header  string // the header segment of every token that it signs
	hidden  int    // hiddenLengthOf it
	jwk     []byte // the public key as a JWK (RFC 7517)
}

// NewKeyring makes a keyring with one new key that signs from now on. An empty
// algorithm means EdDSA.
func NewKeyring(alg Algorithm, now time.Time) (*Keyring, error) {
	k, err := newKey(alg, KeyInfo{Created: now, SignsFrom: now})
	if err != nil {
		return nil, err
	}
	return newKeyring([]*key{k}), nil
}

// Rotate returns a keyring with a new key in addition. The new key is published
// at once and signs after [Lead]. From then on the old one only verifies, until
// its last token has run out: life, the longest life of a token, and [Margin].
// Keys whose time is over are removed. An empty algorithm means EdDSA.
//
// It is an error to rotate so often that more than [MaxKeys] keys are alive.
func (k *Keyring) Rotate(alg Algorithm, now time.Time, life time.Duration) (*Keyring, error) {
	keys := slices.Clone(k.Prune(now).keys)
	if len(keys) >= MaxKeys {
		return nil, fmt.Errorf("token: there are %d keys already: rotate again when the oldest has run out", len(keys))
	}
	old := *keys[len(keys)-1]
	old.SignsUntil = now.Add(Lead)
	if old.SignsUntil.Before(old.SignsFrom) { // the clock went back since the last rotation
		old.SignsUntil = old.SignsFrom
	}
	old.VerifiesUntil = old.SignsUntil.Add(max(life, 0) + Margin)
	old.KeyInfo = old.inUTC()
	next, err := newKey(alg, KeyInfo{Created: now, SignsFrom: old.SignsUntil})
	if err != nil {
		return nil, err
	}
	keys[len(keys)-1] = &old
	return newKeyring(append(keys, next)), nil
}

// Prune returns a keyring without the keys that don't verify any more.
func (k *Keyring) Prune(now time.Time) *Keyring {
	over := func(key *key) bool { return !key.verifies(now) }
	if !slices.ContainsFunc(k.keys, over) {
		return k
	}
	return newKeyring(slices.DeleteFunc(slices.Clone(k.keys), over))
}

// JWKS returns the public keys as a JSON Web Key Set (RFC 7517), upcoming and
// retiring ones included.
func (k *Keyring) JWKS() []byte {
	var jwks [][]byte
	for _, key := range k.keys {
		jwks = append(jwks, key.jwk)
	}
	return slices.Concat([]byte(`{"keys":[`), bytes.Join(jwks, []byte(",")), []byte(`]}`))
}

// Keys lists the keys in the order in which they sign.
func (k *Keyring) Keys() []KeyInfo {
	var infos []KeyInfo
	for _, key := range k.keys {
		infos = append(infos, key.KeyInfo)
	}
	return infos
}

// signer returns the newest key whose time to sign has come. A clock that is
// behind the one of the machine that made the first key gets that key.
func (k *Keyring) signer(now time.Time) *key {
	for _, key := range slices.Backward(k.keys) {
		if !now.Before(key.SignsFrom) {
			return key
		}
	}
	return k.keys[0]
}

func newKeyring(keys []*key) *Keyring {
	return &Keyring{keys: keys}
}

// keyFor returns the key whose header segment the token begins with, or nil. There
// are seldom more than two keys.
func (k *Keyring) keyFor(tok string) *key {
	for _, key := range k.keys {
		if rest, ok := strings.CutPrefix(tok, key.header); ok && strings.HasPrefix(rest, ".") {
			return key
		}
	}
	return nil
}

// inOrder reports whether the keys are different ones, sign one after the other
// without a gap, and the last one has no end.
func (k *Keyring) inOrder() bool {
	if len(k.keys) == 0 {
		return false
	}
	for i, next := range k.keys[1:] {
		if slices.ContainsFunc(k.keys[:i+1], func(key *key) bool { return key.ID == next.ID }) {
			return false
		}
		if key := k.keys[i]; !key.SignsUntil.Equal(next.SignsFrom) || !key.VerifiesUntil.After(key.SignsUntil) {
			return false
		}
	}
	last := k.keys[len(k.keys)-1]
	return last.SignsUntil.IsZero() && last.VerifiesUntil.IsZero()
}

func newKey(alg Algorithm, info KeyInfo) (*key, error) {
	private, err := generate(alg)
	if err != nil {
		return nil, err
	}
	return keyOf(private, info)
}

// keyOf fills in what follows from the private key. The id is computed, never
// read, so a header can't name one key and mean another; see publicKeyOf.
func keyOf(private crypto.Signer, info KeyInfo) (*key, error) {
	k, err := publicKeyOf(private.Public(), info)
	if err != nil {
		return nil, err
	}
	k.private = private
	return k, nil
}

const (
	headerFormat    = `{"alg":"%s","kid":"%s","typ":"%s"}`
	accessTokenType = "at+jwt" // RFC 9068 section 2.1
)

func publicKeyOf(public crypto.PublicKey, info KeyInfo) (*key, error) {
	alg, err := algorithmOf(public)
	if err != nil {
		return nil, err
	}
	jwk := jose.JSONWebKey{Key: public, Algorithm: string(alg), Use: "sig"}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("token: the key's thumbprint: %w", err)
	}
	jwk.KeyID = strictBase64.EncodeToString(thumbprint)
	data, err := jwk.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("token: the key as a JWK: %w", err)
	}
	info.ID, info.Algorithm = jwk.KeyID, alg
	header := fmt.Sprintf(headerFormat, alg, info.ID, accessTokenType)
	return &key{
		KeyInfo: info.inUTC(),
		public:  public,
		header:  strictBase64.EncodeToString([]byte(header)),
		hidden:  hiddenLengthOf(public),
		jwk:     data,
	}, nil
}

// verifies reports whether tokens of the key are accepted at that time. An
// upcoming key verifies already: another node's clock may be ahead.
func (k *key) verifies(now time.Time) bool {
	return k.VerifiesUntil.IsZero() || now.Before(k.VerifiesUntil)
}

// inUTC drops the monotonic reading and the zone, which a document can't keep.
func (i KeyInfo) inUTC() KeyInfo {
	for _, t := range []*time.Time{&i.Created, &i.SignsFrom, &i.SignsUntil, &i.VerifiesUntil} {
		*t = t.Round(0).UTC()
	}
	return i
}
