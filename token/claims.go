package token

import (
	"strconv"
	"time"
)

// Claims are what an access token says (RFC 9068 section 2.2). Times have the
// precision of a second: what Sign is given is rounded down.
type Claims struct {
	Issuer    string    // iss; required
	Subject   string    // sub, the user's stable id; required
	Audience  []string  // aud; required, at most 16
	SessionID string    // sid, the session that the token belongs to; required
	ID        string    // jti; Sign makes one where it is empty
	Username  string    // preferred_username, for display; optional
	IssuedAt  time.Time // iat; zero: Sign's now
	Expires   time.Time // exp; required
	NotBefore time.Time // nbf; optional
	AuthTime  time.Time // auth_time, when the user last proved who he is; optional
	Methods   []string  // amr, how he proved it (RFC 8176); optional, at most 16
	ClientID  string    // client_id, who asked for the token; Sign writes it, Verify does not read it
	Status    *Status   // status, where others look up whether it still counts; optional; Sign writes it, Verify does not read it
}

// A Status is a place in a status list (draft-ietf-oauth-status-list-20 section
// 6.2). Without a URI it is none.
type Status struct {
	URI   string // uri, of the list
	Index uint32 // idx, of the token in it
}

// maxStrings limits aud and amr.
const maxStrings = 16

// maxDate is the last second of the year 9999, in Unix time.
const maxDate = 253402300799

// complete reports whether the required claims are there.
func (c *Claims) complete() bool {
	return c.Issuer != "" && c.Subject != "" && c.SessionID != "" && c.ID != "" &&
		len(c.Audience) > 0 && !c.Expires.IsZero() && !c.IssuedAt.IsZero()
}

// inBounds reports whether parseClaims accepts these dates and lists.
func (c *Claims) inBounds() bool {
	for _, t := range []time.Time{c.IssuedAt, c.Expires, c.NotBefore, c.AuthTime} {
		if !t.IsZero() && (t.Unix() < 0 || t.Unix() > maxDate) {
			return false
		}
	}
	return len(c.Audience) <= maxStrings && len(c.Methods) <= maxStrings
}

// append writes the claims as a JSON object. By hand, because it is on the path
// of every login and refresh, and reflection would cost more than the rest.
func (c *Claims) append(b []byte) []byte {
	b = appendString(append(b, `{"iss":`...), c.Issuer)
	b = appendString(append(b, `,"sub":`...), c.Subject)
	b = append(b, `,"aud":`...)
	if len(c.Audience) == 1 {
		b = appendString(b, c.Audience[0])
	} else {
		b = appendStrings(b, c.Audience)
	}
	if c.ClientID != "" {
		b = appendString(append(b, `,"client_id":`...), c.ClientID)
	}
	b = appendString(append(b, `,"sid":`...), c.SessionID)
	b = appendString(append(b, `,"jti":`...), c.ID)
	b = appendDate(b, `,"iat":`, c.IssuedAt)
	b = appendDate(b, `,"exp":`, c.Expires)
	b = appendDate(b, `,"nbf":`, c.NotBefore)
	b = appendDate(b, `,"auth_time":`, c.AuthTime)
	if len(c.Methods) > 0 {
		b = appendStrings(append(b, `,"amr":`...), c.Methods)
	}
	if c.Username != "" {
		b = appendString(append(b, `,"preferred_username":`...), c.Username)
	}
	if c.Status != nil && c.Status.URI != "" {
		b = strconv.AppendUint(append(b, `,"status":{"status_list":{"idx":`...), uint64(c.Status.Index), 10)
		b = append(appendString(append(b, `,"uri":`...), c.Status.URI), "}}"...)
	}
	return append(b, '}')
}

func appendDate(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return strconv.AppendInt(append(b, name...), t.Unix(), 10)
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if !endsPlain[c] {
			continue
		}
		b = append(b, s[done:i]...)
		b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		done = i + 1
	}
	return append(append(b, s[done:]...), '"')
}

// parseClaims reads a JSON object of claims: strictly, since two readers that
// read one text differently are how a check is got round. Names that it does
// not know are passed over.
func parseClaims(payload string) (Claims, error) {
	s := newScanner(payload)
	var c Claims
	s.object(maxDepth, func(name string) {
		switch name {
		case "iss":
			c.Issuer = s.string()
		case "sub":
			c.Subject = s.string()
		case "aud":
			c.Audience = s.stringOrStrings()
		case "sid":
			c.SessionID = s.string()
		case "jti":
			c.ID = s.string()
		case "preferred_username":
			c.Username = s.string()
		case "iat":
			c.IssuedAt = s.date()
		case "exp":
			c.Expires = s.date()
		case "nbf":
			c.NotBefore = s.date()
		case "auth_time":
			c.AuthTime = s.date()
		case "amr":
			c.Methods = s.strings()
		default:
			s.skip(maxDepth - 1)
		}
	})
	if !s.atEnd() {
		return Claims{}, ErrMalformed
	}
	if !c.complete() {
		return Claims{}, ErrClaims
	}
	return c, nil
}
