package token

import (
	"errors"
	"fmt"
)

// ErrInvalid is what every error of [Verifier.Verify] matches with errors.Is.
// None of them contains a byte of the token.
var ErrInvalid = errors.New("token: not valid")

// Why [Verifier.Verify] refused a token. They are for logs and tests: a client
// needs to know no more than that the token is not valid.
var (
	// ErrMalformed: too long, not three canonical base64url segments, or not
	// one strict JSON object of claims.
	ErrMalformed = fmt.Errorf("%w: malformed", ErrInvalid)

	// ErrUnknownKey: the header is not that of a key in the keyring. The key
	// has been removed, or the token is of another issuer, algorithm or type.
	ErrUnknownKey = fmt.Errorf("%w: its header names no key of ours", ErrInvalid)

	// ErrSignature: the key that the header names did not sign this.
	ErrSignature = fmt.Errorf("%w: wrong signature", ErrInvalid)

	// ErrClaims: a required claim is missing or empty.
	ErrClaims = fmt.Errorf("%w: a required claim is missing", ErrInvalid)

	// ErrIssuer: issued by somebody else (RFC 9068 section 4).
	ErrIssuer = fmt.Errorf("%w: wrong issuer", ErrInvalid)

	// ErrAudience: meant for somebody else (RFC 9068 section 4).
	ErrAudience = fmt.Errorf("%w: wrong audience", ErrInvalid)

	// ErrExpired: its time is over.
	ErrExpired = fmt.Errorf("%w: expired", ErrInvalid)

	// ErrNotYetValid: its time has not come. Where that is not an attack, the
	// clocks of two machines differ.
	ErrNotYetValid = fmt.Errorf("%w: not valid yet: compare the clocks", ErrInvalid)
)

// ErrWrongSecret: the secret does not open the sealed keyring. It is another
// secret than the one that sealed it, or the document was changed.
var ErrWrongSecret = errors.New("token: the secret does not open the keyring: use the secret that sealed it")
