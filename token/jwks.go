package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// maxJWKS bounds a JSON Web Key Set, in bytes; 16 RSA keys take about 10,000.
const maxJWKS = 64 << 10

// ParseJWKS reads the public keys that a [Keyring.JWKS] of the same program
// published, into a keyring that verifies and can't sign.
//
// It is strict: each key's kid must be its thumbprint (RFC 7638) and its alg the
// one that we use it with, or nothing is read. Keys of other kinds are passed
// over, as RFC 7517 section 5 asks, so that an issuer may publish newer ones.
//
// When keys sign and for how long they verify is not in a JWKS: read it again
// at least every [Lead], and a key is good for as long as it is there.
func ParseJWKS(data []byte) (*Keyring, error) {
	keys, err := parseJWKS(data)
	if err != nil {
		return nil, fmt.Errorf("token: read the jwks: %w", err)
	}
	return newKeyring(keys), nil
}

func parseJWKS(data []byte) ([]*key, error) {
	if len(data) > maxJWKS {
		return nil, fmt.Errorf("larger than %d bytes", maxJWKS)
	}
	if err := checkJSON(string(data)); err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > MaxKeys {
		return nil, fmt.Errorf("it holds %d keys, more than %d", len(set.Keys), MaxKeys)
	}
	var keys []*key
	for _, raw := range set.Keys {
		k, err := parseJWK(raw)
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		if slices.ContainsFunc(keys, func(other *key) bool { return other.ID == k.ID }) {
			return nil, errors.New("it holds a key twice")
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key of ours")
	}
	return keys, nil
}

// parseJWK reads one key; nil: it is for another algorithm than ours.
func parseJWK(raw []byte) (*key, error) {
	var kind struct {
		Algorithm Algorithm `json:"alg"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil, errors.New("it holds something that is no key")
	}
	if !slices.Contains([]Algorithm{EdDSA, ES256, RS256}, kind.Algorithm) {
		return nil, nil
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	if !jwk.IsPublic() {
		return nil, errors.New("it holds a key that is not public: whoever reads it can sign: replace the keyring")
	}
	k, err := publicKeyOf(jwk.Key, KeyInfo{})
	if err != nil {
		return nil, err
	}
	if jwk.KeyID != k.ID || jwk.Algorithm != string(k.Algorithm) || jwk.Use != "sig" {
		return nil, errors.New("a key's kid, alg or use is not what follows from the key")
	}
	return k, nil
}

// checkJSON refuses what two readers could read differently.
func checkJSON(in string) error {
	s := newScanner(in)
	s.skip(maxDepth)
	if !s.atEnd() {
		return errors.New("it is no strict JSON")
	}
	return nil
}
