package token

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// SignAs issues a JWT that is no access token: its header has another typ, such
// as "logout+jwt", so no verifier of ours takes it for one, nor does another
// that looks at the typ (RFC 8725 section 3.11). The claims are a value that
// encoding/json makes an object of. It is signed by the key whose turn it is at
// that time.
//
// Errors: a typ that is not lower-case letters, digits, "-" and "+", or that is
// the one of access tokens; claims that can't be written down; a token that would
// exceed [MaxLength].
func (k *Keyring) SignAs(typ string, claims any, now time.Time) (string, error) {
	if typ == "" || typ == accessTokenType || strings.Trim(typ, "abcdefghijklmnopqrstuvwxyz0123456789-+") != "" {
		return "", fmt.Errorf("token: typ %q: name another kind than access tokens, such as logout+jwt", typ)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("token: the claims as JSON: %w", err)
	}
	key := k.signer(now)
	return key.sign(key.headerFor(typ), payload)
}

// headerFor is the header segment of a token of that kind.
func (k *key) headerFor(typ string) string {
	return strictBase64.EncodeToString([]byte(fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"%s"}`, k.Algorithm, k.ID, typ)))
}

// sign makes the token. Its signature covers the header, so one of a kind can't
// be made into one of another.
func (k *key) sign(header string, payload []byte) (string, error) {
	tok := make([]byte, 0, len(header)+2*len(payload)+128)
	tok = append(append(tok, header...), '.')
	tok = strictBase64.AppendEncode(tok, payload)
	sig, err := signMessage(k.private, tok)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	tok = strictBase64.AppendEncode(append(tok, '.'), sig)
	if len(tok) > MaxLength {
		return "", fmt.Errorf("token: %d bytes are too long: shorten the claims to fit %d", len(tok), MaxLength)
	}
	return string(tok), nil
}
