package counterfoil

import (
	"errors"
	"net/http"
	"time"
)

// Admit judges a request that another server has received, such as a reverse
// proxy that asks whether to let it in: see package forwardauth. Of r, the
// request as the client sent it, Method, Host and Header count, and URL.Scheme,
// which is empty if how the client got there is not known. It returns the session
// of the user who is logged in, by bearer token or cookie as in Handler, and
// changes nothing.
//
// The application behind the proxy knows no CSRF token. So an unsafe request, or
// one for an upgrade such as a WebSocket's, has to come from the request's own
// origin if it rests on the cookie, and the browser has to say so: with neither
// Origin nor Sec-Fetch-Site it is refused.
//
// Errors: ErrNoSession if nobody is logged in; ErrCrossOrigin; ErrBadCookie,
// ErrBadAuthorization; ErrInvalidToken; ErrUnavailable.
func (m *Manager) Admit(r *http.Request) (*Session, error) {
	session, err := m.admit(r)
	if err != nil {
		if !errors.Is(err, ErrNoSession) { // to come without a session is nothing to note
			m.noteRefusal(r, err)
		}
		return nil, err
	}
	return session, nil
}

func (m *Manager) admit(r *http.Request) (*Session, error) {
	x := &exchange{Context: r.Context(), m: m}
	if err := x.identify(r); err != nil {
		return nil, err
	}
	session := x.session()
	if !session.Active() {
		return nil, ErrNoSession
	}
	if x.via == viaCookie && (!isSafe(r.Method) || isUpgrade(r.Header)) && !m.isFromItself(r) {
		return nil, ErrCrossOrigin
	}
	return session, nil
}

// isUpgrade reports whether a request asks for a WebSocket or the like. Upgrade
// is a header of one hop, and some proxies take it out before they ask; those of
// the WebSocket handshake they leave in (RFC 6455 section 4.1).
func isUpgrade(h http.Header) bool {
	return len(h["Upgrade"]) > 0 || len(h["Sec-Websocket-Key"]) > 0 || len(h["Sec-Websocket-Version"]) > 0
}

// isFromItself reports whether the browser says that the request comes from the
// origin that it goes to.
func (m *Manager) isFromItself(r *http.Request) bool {
	sites, origins := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	if len(sites) > 1 || len(origins) > 1 || len(sites)+len(origins) == 0 {
		return false
	}
	if len(sites) == 1 && sites[0] != "same-origin" && sites[0] != "none" {
		return false
	}
	if len(origins) == 0 {
		return true
	}
	if origins[0] == "null" { // of a page with "Referrer-Policy: no-referrer"
		return len(sites) == 1 && sites[0] == "same-origin"
	}
	if r.URL.Scheme == "" {
		return m.isOurOrigin(r, origins[0])
	}
	own, err := parseOrigin(r.URL.Scheme + "://" + r.Host)
	return err == nil && own == origins[0]
}

// IdentityTokenType is the typ in the header of an identity token. It differs
// from the one of access tokens, so neither is taken for the other.
const IdentityTokenType = "identity+jwt"

// identityLife is how long an identity token is good: as long as a request may
// take from the proxy to the application, and clocks may differ.
const identityLife = time.Minute

// SignIdentity returns a JWT that tells an application behind a reverse proxy
// who makes a request: see package forwardauth. The audience is the
// application's origin. It lives for a minute, and opens nothing here.
//
// Errors: ErrNoSession if nobody is logged in.
func (m *Manager) SignIdentity(s *Session, audience string) (string, error) {
	if !s.Active() {
		return "", ErrNoSession
	}
	now := m.now()
	return m.SignJWT(IdentityTokenType, identityClaims{
		Issuer:    m.issuer(),
		Subject:   s.User(),
		Audience:  audience,
		SessionID: s.ID(),
		Username:  s.Name(),
		AuthTime:  s.AuthTime().Unix(),
		IssuedAt:  now.Unix(),
		Expires:   now.Add(identityLife).Unix(),
	})
}

type identityClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	SessionID string `json:"sid"`
	Username  string `json:"preferred_username,omitempty"`
	AuthTime  int64  `json:"auth_time"`
	IssuedAt  int64  `json:"iat"`
	Expires   int64  `json:"exp"`
}
