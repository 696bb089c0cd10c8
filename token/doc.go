// Package token issues and checks access tokens: signed JWTs that say who
// somebody is and which session they belong to (RFC 9068).
//
// For most uses, make a [Keyring] once, keep it sealed, sign with
// [Keyring.Sign], and check with [Verifier.Verify]:
//
//	keys, err := token.NewKeyring(token.EdDSA, time.Now())
//	…
//	tok, err := keys.Sign(token.Claims{Issuer: "https://example.com", …}, time.Now())
//	…
//	verifier := token.NewVerifier(token.Config{
//		Issuers:   []string{"https://example.com"},
//		Audiences: []string{"https://example.com"},
//	})
//	verifier.SetKeyring(keys)
//	claims, err := verifier.Verify(tok, time.Now())
//
// A token that verifies is one that we issued and that has not expired. Whether
// its session still lives is not written in it: look up [Claims].SessionID.
//
// # One spelling
//
// A token is ours only if its header segment equals, byte for byte, the header
// of one of our keys. No header is parsed, so there is nothing in it that could
// choose an algorithm, a key, or an address to fetch one from. The other two
// segments have one accepted spelling each: canonical base64url, and for ES256
// the lower of the two values of s.
//
// # Time
//
// Nothing here reads a clock: every call that depends on the time is told it.
package token
