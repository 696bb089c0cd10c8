package token

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	maxDocument    = 128 << 10 // bytes of a sealed keyring; 16 RSA keys take about 55,000
	sealingVersion = 1
	sealingPurpose = "counterfoil keyring 1" // keeps the key apart from others made of the same secret
)

// A sealedKeyring is the document that a store keeps. The keyring is encrypted
// whole, times and public parts too: who can write to the store can neither
// prolong a key, nor add one, nor mix the keys of two documents.
type sealedKeyring struct {
	Version int    `json:"version"`
	Sealed  []byte `json:"sealed"` // AES-256-GCM, the random nonce in front, of a JSON array of storedKey
}

type storedKey struct {
	Private       []byte    `json:"private"` // PKCS #8; the id and the algorithm follow from it
	Created       time.Time `json:"created"`
	SignsFrom     time.Time `json:"signs_from"`
	SignsUntil    time.Time `json:"signs_until,omitzero"`
	VerifiesUntil time.Time `json:"verifies_until,omitzero"`
}

// Seal encrypts the keyring, private keys and all, with the secret, and returns
// a JSON document for a store. Two calls return different documents.
func (k *Keyring) Seal(secret *[32]byte) ([]byte, error) {
	var stored []storedKey
	for _, key := range k.keys {
		private, err := x509.MarshalPKCS8PrivateKey(key.private)
		if err != nil {
			return nil, fmt.Errorf("token: seal the keyring: %w", err)
		}
		stored = append(stored, storedKey{private, key.Created, key.SignsFrom, key.SignsUntil, key.VerifiesUntil})
	}
	plain, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("token: seal the keyring: %w", err)
	}
	box, err := sealingBox(secret)
	if err != nil {
		return nil, fmt.Errorf("token: seal the keyring: %w", err)
	}
	return json.Marshal(sealedKeyring{sealingVersion, box.Seal(nil, nil, plain, nil)})
}

// OpenKeyring decrypts what [Keyring.Seal] returned. The error matches
// [ErrWrongSecret] where the secret does not open it, which is also what a
// document that was tampered with looks like.
func OpenKeyring(document []byte, secret *[32]byte) (*Keyring, error) {
	if len(document) > maxDocument {
		return nil, fmt.Errorf("token: open the keyring: larger than %d bytes", maxDocument)
	}
	var sealed sealedKeyring
	if err := json.Unmarshal(document, &sealed); err != nil {
		return nil, fmt.Errorf("token: open the keyring: %w", err)
	}
	if sealed.Version != sealingVersion {
		return nil, fmt.Errorf("token: open the keyring: its version is %d, this program knows %d", sealed.Version, sealingVersion)
	}
	box, err := sealingBox(secret)
	if err != nil {
		return nil, fmt.Errorf("token: open the keyring: %w", err)
	}
	plain, err := box.Open(nil, nil, sealed.Sealed, nil)
	if err != nil {
		return nil, ErrWrongSecret
	}
	keys, err := parseKeys(plain)
	if err != nil {
		return nil, fmt.Errorf("token: open the keyring: %w", err)
	}
	k := newKeyring(keys)
	if !k.inOrder() {
		return nil, errors.New("token: open the keyring: its keys don't sign one after the other")
	}
	return k, nil
}

func parseKeys(plain []byte) ([]*key, error) {
	var stored []storedKey
	if err := json.Unmarshal(plain, &stored); err != nil {
		return nil, err
	}
	if len(stored) > MaxKeys {
		return nil, fmt.Errorf("it holds %d keys, more than %d", len(stored), MaxKeys)
	}
	var keys []*key
	for _, s := range stored {
		private, err := x509.ParsePKCS8PrivateKey(s.Private)
		if err != nil {
			return nil, err
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, errors.New("it holds a key that can't sign")
		}
		key, err := keyOf(signer, KeyInfo{
			Created:       s.Created,
			SignsFrom:     s.SignsFrom,
			SignsUntil:    s.SignsUntil,
			VerifiesUntil: s.VerifiesUntil,
		})
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sealingBox returns an AEAD that puts a random nonce in front of what it seals.
func sealingBox(secret *[32]byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret[:], nil, sealingPurpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
