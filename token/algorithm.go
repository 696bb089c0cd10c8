package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
)

// An Algorithm is a JWS signature algorithm (RFC 7518, RFC 8037). It is a
// property of a key: a token can't choose one.
type Algorithm string

// The algorithms, all asymmetric: a service that checks tokens can't issue any.
const (
	EdDSA Algorithm = "EdDSA" // Ed25519; the default, small and fast
	ES256 Algorithm = "ES256" // ECDSA on P-256
	RS256 Algorithm = "RS256" // RSA PKCS #1 v1.5, 3072 bits (ASVS 11.2.3); for verifiers that know nothing newer
)

const rsaBits = 3072

const (
	rsaLength = rsaBits / 6 // of a signature segment, by a key of ours

	// hiddenLength is how much of the signature segment of EdDSA and ES256 must
	// not be kept in memory. Such a signature is two numbers: this has all of
	// the second, which nobody can make of the first and the message who has not
	// the private key. And it is all that SHA-256 takes in one block.
	hiddenLength = 55
)

// hiddenLengthOf is how many bytes at the end of a token must not be kept in
// memory, so that nobody can make the token of what is kept.
func hiddenLengthOf(public crypto.PublicKey) int {
	if key, ok := public.(*rsa.PublicKey); ok {
		return strictBase64.EncodedLen(key.Size()) // one number, so all of it
	}
	return hiddenLength
}

// halfOrder is half the order of P-256. Both (r, s) and (r, n-s) are valid
// ECDSA signatures. We sign with s in the lower half and accept no other, so
// that nobody can make a second spelling of a token.
var halfOrder = new(big.Int).Rsh(elliptic.P256().Params().N, 1)

// generate makes a private key for the algorithm. Empty: EdDSA.
func generate(alg Algorithm) (crypto.Signer, error) {
	switch alg {
	case EdDSA, "":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("token: unknown algorithm %q: use %s, %s or %s", string(alg), EdDSA, ES256, RS256)
}

// algorithmOf returns the one algorithm that a key is used with.
func algorithmOf(public crypto.PublicKey) (Algorithm, error) {
	switch public := public.(type) {
	case ed25519.PublicKey:
		return EdDSA, nil
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			return ES256, nil
		}
	case *rsa.PublicKey:
		if public.N.BitLen() >= rsaBits {
			return RS256, nil
		}
	}
	return "", fmt.Errorf("token: a key of type %T is too weak or not for %s, %s or %s", public, EdDSA, ES256, RS256)
}

// appendSignature signs with the algorithm of the key.
func appendSignature(b []byte, private crypto.Signer, message []byte) ([]byte, error) {
	switch private := private.(type) {
	case ed25519.PrivateKey:
		return append(b, ed25519.Sign(private, message)...), nil
	case *ecdsa.PrivateKey:
		return appendECDSA(b, private, message)
	case *rsa.PrivateKey:
		digest := sha256.Sum256(message)
		sig, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
		return append(b, sig...), err
	}
	return nil, fmt.Errorf("token: cannot sign with a key of type %T", private)
}

func appendECDSA(b []byte, private *ecdsa.PrivateKey, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		return nil, err
	}
	if s.Cmp(halfOrder) > 0 {
		s.Sub(private.Params().N, s)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return append(b, sig[:]...), nil
}

// validSignature reports whether sig is the signature of message, in the one
// spelling that appendSignature gives it.
func validSignature(public crypto.PublicKey, message, sig []byte) bool {
	switch public := public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, sig)
	case *ecdsa.PublicKey:
		return validECDSA(public, message, sig)
	case *rsa.PublicKey:
		digest := sha256.Sum256(message)
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], sig) == nil
	}
	return false
}

func validECDSA(public *ecdsa.PublicKey, message, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if s.Cmp(halfOrder) > 0 {
		return false
	}
	digest := sha256.Sum256(message)
	return ecdsa.Verify(public, digest[:], r, s)
}
