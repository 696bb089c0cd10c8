package token

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
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
	sig, err := signMessage(k.keys[0].private, message)
	if err != nil {
		panic(err)
	}
	return sig
}

// Public returns the public key of the keyring's first key.
func (k *Keyring) Public() crypto.PublicKey { return k.keys[0].public }

// Remembered counts the entries of the cache.
func (v *Verifier) Remembered() int {
	n := 0
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		s.mu.RLock()
		n += len(s.young) + len(s.old)
		s.mu.RUnlock()
	}
	return n
}

// SealRaw seals any plain text as Seal seals a keyring.
func SealRaw(version int, plain []byte, secret *[32]byte) []byte {
	box, err := sealingBox(secret)
	if err != nil {
		panic(err)
	}
	document, err := json.Marshal(sealedKeyring{version, box.Seal(nil, nil, plain, nil)})
	if err != nil {
		panic(err)
	}
	return document
}

// MaxDocument is the limit of OpenKeyring.
const MaxDocument = maxDocument

// TakeKey tries to make a private key one of a keyring.
func TakeKey(private crypto.Signer) error {
	_, err := keyOf(private, KeyInfo{})
	return err
}
