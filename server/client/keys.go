package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/counterfoil/counterfoil/store"
)

const (
	maxKeys   = 8
	maxKeySet = 16 << 10 // bytes
	minRSA    = 2048     // bits
)

// ReplaceKeys gives a client with keys other ones. The old ones are refused
// within 5 seconds: to change without a gap, replace them by both, and later by
// the new ones.
//
// Errors: ErrNotFound, and those of the store.
func ReplaceKeys(ctx context.Context, s store.Store, name string, keys []jose.JSONWebKey) (c Client, err error) {
	if len(keys) == 0 {
		return c, errors.New("client: there are no keys to put in the place of the old ones")
	}
	if keys, err = publicKeys(keys); err != nil {
		return c, err
	}
	err = change(ctx, s, func(list []Client) ([]Client, error) {
		i := find(list, name)
		if i < 0 {
			return nil, ErrNotFound
		}
		if len(list[i].Keys) == 0 {
			return nil, fmt.Errorf("client: %s has a secret and no keys: rotate it without any", name)
		}
		list[i].Keys = keys
		c = list[i]
		return list, nil
	})
	return c, err
}

// ParseKeys reads a JSON Web Key Set (RFC 7517) of public keys, 8 at most: Ed25519,
// P-256, or RSA with 2048 bits or more. It keeps of each what counts: the key
// itself, its id and the one algorithm that it is used with.
func ParseKeys(jwks []byte) ([]jose.JSONWebKey, error) {
	if len(jwks) > maxKeySet {
		return nil, fmt.Errorf("client: the JWKS is larger than %d bytes", maxKeySet)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("client: the JWKS can't be read: %w", err)
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("client: the JWKS holds no key that is known")
	}
	return publicKeys(set.Keys)
}

// publicKeys returns of each key what counts.
func publicKeys(given []jose.JSONWebKey) (keys []jose.JSONWebKey, err error) {
	if len(given) > maxKeys {
		return nil, fmt.Errorf("client: %d keys are too many: at most %d", len(given), maxKeys)
	}
	for _, k := range given {
		if !k.IsPublic() {
			return nil, errors.New("client: a key is private or symmetric: keep it to yourself, make another, and register the public half")
		}
		if k.Use != "" && k.Use != "sig" {
			return nil, fmt.Errorf("client: the key %q is not for signatures", k.KeyID)
		}
		alg, err := algorithmOf(k)
		if err != nil {
			return nil, err
		}
		keys = append(keys, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: string(alg)})
	}
	return keys, nil
}

// Algorithms are those that a client may sign with.
var Algorithms = []jose.SignatureAlgorithm{jose.EdDSA, ed25519Name, jose.ES256, jose.PS256, jose.RS256}

// ed25519Name is what RFC 9864 calls EdDSA with Ed25519.
const ed25519Name = "Ed25519"

// oneName returns the older of the two names of that algorithm, and others as they
// are.
func oneName(alg string) string {
	if alg == ed25519Name {
		return string(jose.EdDSA)
	}
	return alg
}

// algorithmOf returns the one algorithm that a key is used with: what the key
// says, or for an RSA key that says nothing RS256.
func algorithmOf(k jose.JSONWebKey) (jose.SignatureAlgorithm, error) {
	var takes []jose.SignatureAlgorithm
	switch public := k.Key.(type) {
	case ed25519.PublicKey:
		takes = []jose.SignatureAlgorithm{jose.EdDSA}
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			takes = []jose.SignatureAlgorithm{jose.ES256}
		}
	case *rsa.PublicKey:
		if public.N.BitLen() >= minRSA {
			takes = []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
		}
	}
	alg := jose.SignatureAlgorithm(oneName(k.Algorithm))
	switch {
	case len(takes) == 0:
		return "", fmt.Errorf("client: the key %q is too weak, or of a kind that is not known: use Ed25519, P-256, or RSA with %d bits", k.KeyID, minRSA)
	case alg == "":
		return takes[0], nil
	case !slices.Contains(takes, alg):
		return "", fmt.Errorf("client: the key %q is not for %s", k.KeyID, alg)
	}
	return alg, nil
}
