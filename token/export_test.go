package token

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// What tests outside the package need to forge tokens and to look inside.

var (
	ParseClaims    = parseClaims
	ValidSignature = validSignature
)

// Header returns the JSON of the header that the keyring signs with.
func (k *Keyring) Header() string {
	header, _ := strictBase64.DecodeString(k.keys[0].header)
	return string(header)
}

// SignRaw signs any header and payload with the keyring's first key.
func (k *Keyring) SignRaw(header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	return signed + "." + encode(k.SignBytes([]byte(signed)))
}

// SignBytes signs any bytes with the keyring's first key.
func (k *Keyring) SignBytes(message []byte) []byte {
	return must1(appendSignature(nil, k.keys[0].private, message))
}

// Public returns the public key of the keyring's first key.
func (k *Keyring) Public() crypto.PublicKey { return k.keys[0].public }

// Remembered counts the entries of the cache.
func (v *Verifier) Remembered() int {
	n := 0
	v.cache.mu.Lock()
	defer v.cache.mu.Unlock()
	for _, g := range []*generation{v.cache.young.Load(), v.cache.old.Load()} {
		if g != nil {
			n += g.tokens
		}
	}
	return n
}

// RememberedText is all the text in the cache.
func (v *Verifier) RememberedText() string {
	var b strings.Builder
	for _, g := range []*generation{v.cache.young.Load(), v.cache.old.Load()} {
		if g == nil {
			continue
		}
		present := g.present.Load()
		for _, text := range g.blocks[:present.number] {
			b.WriteString(text)
		}
		b.WriteString(present.text)
	}
	return b.String()
}

// RememberedBytes is how long the text is.
func (v *Verifier) RememberedBytes() int { return len(v.RememberedText()) }

// Remembers reports whether a token is in the cache.
func (v *Verifier) Remembers(tok string) bool {
	text := textOf(v.keys.Load().keyFor(tok), tok)
	return v.cache.get(&text, &Claims{})
}

// A StoredKey is a key as Seal writes it.
type StoredKey = storedKey

// Unseal returns what is in a sealed document.
func Unseal(document []byte, secret *[32]byte) []StoredKey {
	var sealed sealedKeyring
	var stored []StoredKey
	must(json.Unmarshal(document, &sealed))
	plain, err := must1(sealingBox(secret)).Open(nil, nil, sealed.Sealed, nil)
	must(err)
	must(json.Unmarshal(plain, &stored))
	return stored
}

// SealStored seals any keys as Seal seals those of a keyring.
func SealStored(version int, stored []StoredKey, secret *[32]byte) []byte {
	return SealRaw(version, must1(json.Marshal(stored)), secret)
}

// SealRaw seals any plain text as Seal seals a keyring.
func SealRaw(version int, plain []byte, secret *[32]byte) []byte {
	return must1(json.Marshal(sealedKeyring{version, must1(sealingBox(secret)).Seal(nil, nil, plain, nil)}))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func must1[T any](value T, err error) T {
	must(err)
	return value
}

// MaxDocument is the limit of OpenKeyring.
const MaxDocument = maxDocument

// TakeKey tries to make a private key one of a keyring.
func TakeKey(private crypto.Signer) error {
	_, err := keyOf(private, KeyInfo{})
	return err
}
