package client

import (
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// AssertionType is the value of client_assertion_type (RFC 7523 section 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	maxAssertion     = 8 << 10 // bytes
	maxAssertionLife = 5 * time.Minute
	assertionLeeway  = 30 * time.Second // for iat and nbf, where clocks differ; there is none for exp
	maxJTI           = 256              // bytes
	maxAssertionAud  = 4
)

// IdentifyByAssertion returns the client that signed the JWT (RFC 7523 section
// 3): iss and sub are its id, aud is one of those given, exp is at most 5 minutes
// ahead, and its jti was not seen before, by any server on this database.
//
// Errors: ErrDenied. Any other: it could not be told.
func (r *Registry) IdentifyByAssertion(ctx context.Context, assertion string, audience []string) (Client, error) {
	if len(assertion) > maxAssertion {
		return Client{}, ErrDenied
	}
	parsed, err := jwt.ParseSigned(assertion, Algorithms)
	if err != nil || !isAssertion(parsed.Headers[0]) {
		return Client{}, ErrDenied
	}
	var claimed jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claimed); err != nil || !IsID(claimed.Issuer) {
		return Client{}, ErrDenied
	}
	c, known, err := r.find(ctx, claimed.Issuer)
	if err != nil {
		return Client{}, err
	}
	if !known || !c.signed(parsed) || !inForce(&claimed, audience, time.Now()) {
		return Client{ID: claimed.Issuer}, ErrDenied
	}
	if err := r.useUp(ctx, &claimed); err != nil {
		return Client{ID: claimed.Issuer}, err
	}
	return c, nil
}

// isAssertion tells an assertion from a JWT that the client signed for another
// purpose and that says so.
func isAssertion(h jose.Header) bool {
	typ, said := h.ExtraHeaders[jose.HeaderType]
	return !said || typ == "JWT" || typ == "client-authentication+jwt"
}

// signed reports whether one of the client's keys signed it. What else the header
// holds, such as a key of its own, is passed over.
func (c *Client) signed(parsed *jwt.JSONWebToken) bool {
	h := parsed.Headers[0]
	return slices.ContainsFunc(c.Keys, func(k jose.JSONWebKey) bool {
		if k.Algorithm != oneName(h.Algorithm) || h.KeyID != "" && k.KeyID != "" && k.KeyID != h.KeyID {
			return false
		}
		key := k.Key
		if public, ok := key.(ed25519.PublicKey); ok {
			key = edVerifier(public)
		}
		return parsed.Claims(key, &jwt.Claims{}) == nil
	})
}

// An edVerifier checks Ed25519 by both of its names: go-jose knows the older one.
type edVerifier ed25519.PublicKey

// VerifyPayload implements [jose.OpaqueVerifier].
func (v edVerifier) VerifyPayload(payload, signature []byte, alg jose.SignatureAlgorithm) error {
	if oneName(string(alg)) != string(jose.EdDSA) || !ed25519.Verify(ed25519.PublicKey(v), payload, signature) {
		return jose.ErrCryptoFailure
	}
	return nil
}

// inForce judges everything that a client says of itself.
func inForce(c *jwt.Claims, audience []string, now time.Time) bool {
	switch {
	case c.Subject != c.Issuer, c.ID == "", len(c.ID) > maxJTI, c.Expiry == nil:
		return false
	case !now.Before(c.Expiry.Time()), c.Expiry.Time().After(now.Add(maxAssertionLife)):
		return false
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(assertionLeeway)):
		return false
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(assertionLeeway)):
		return false
	}
	ours := func(a string) bool { return slices.Contains(audience, a) }
	return len(c.Audience) <= maxAssertionAud && slices.ContainsFunc(c.Audience, ours)
}
