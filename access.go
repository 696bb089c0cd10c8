package counterfoil

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
)

// An AccessToken is a signed JWT (RFC 9068) that stands for a session for a few
// minutes, unless the session ends before.
type AccessToken struct {
	Token     string        // for Authorization: Bearer
	ExpiresIn time.Duration // from the moment at which the session was seen alive
}

// IssueToken signs an access token for the request's session. The request must
// have come with the session's cookie: a token does not renew itself, for that
// there are refresh tokens.
//
// Errors: ErrNoHandler; ErrNoSession if nobody is logged in, or the request came
// with a token; ErrEnded; ErrUnavailable.
func (m *Manager) IssueToken(ctx context.Context) (AccessToken, error) {
	return m.IssueTokenFor(ctx, "")
}

// IssueTokenFor is IssueToken for one of Config.Resources (RFC 8707): the token
// is accepted there and nowhere else. Empty: the token is for us.
//
// Errors: as IssueToken, and ErrResource.
func (m *Manager) IssueTokenFor(ctx context.Context, resource string) (AccessToken, error) {
	if err := m.checkResource(resource); err != nil {
		return AccessToken{}, err
	}
	x, err := m.exchange(ctx)
	if err != nil {
		return AccessToken{}, err
	}
	x.mu.Lock()
	via, session := x.via, x.session()
	x.mu.Unlock()
	if via != viaCookie || !session.Active() {
		return AccessToken{}, ErrNoSession
	}
	// Late in a long request the session is looked up again: it may have ended,
	// and the token's life counts from the moment at which it was seen alive.
	now := m.now()
	if now.Sub(session.asOf.time()) > maxAsOfAge {
		again := new(Session)
		found, err := m.recall(ctx, session.id, again)
		if err != nil {
			return AccessToken{}, err
		}
		session, now = again, found.now
	}
	return m.sign(ctx, session, resource, now)
}

const maxAsOfAge = 5 * time.Second

// sign issues a token now. Its life counts from the moment at which the store saw
// the session live, not from now: if this process slept in between, the session
// may have ended, and the log remembers an end only as long as a token that was
// issued before could live.
func (m *Manager) sign(ctx context.Context, s *Session, resource string, now time.Time) (AccessToken, error) {
	asOf := s.asOf.time()
	if m.asks && !asOf.Before(now) { // the store's clock may be ahead of ours
		m.clock.Advance(asOf)
		now = asOf
	}
	expires := asOf.Add(m.config.TokenLife)
	if deadline := s.Deadline(); deadline.Before(expires) {
		expires = deadline
	}
	id := s.ID()
	signed, err := m.keys.ring.Load().Sign(token.Claims{
		Issuer:    m.issuer(),
		Subject:   s.user,
		Audience:  []string{cmp.Or(resource, m.issuer())},
		ClientID:  m.issuer(), // programs that log in need not be registered: all of them do so here
		SessionID: id,
		Username:  s.name,
		Methods:   s.Methods(),
		AuthTime:  s.AuthTime(),
		IssuedAt:  asOf,
		Expires:   expires,
		Status:    m.statusOf(s.id),
	}, now)
	if err != nil {
		return AccessToken{}, err
	}
	m.emitFor(ctx, TokenIssued, s)
	return AccessToken{Token: signed, ExpiresIn: expires.Sub(asOf)}, nil
}

// SignJWT signs another JWT than an access token with the site's keys, which
// [Manager.JWKS] shows: typ is what it is, such as "logout+jwt", and claims
// become its payload as JSON. No check takes it for an access token, whatever its
// claims are.
//
// Errors: claims that are no JSON object, or too long; a typ that is none, or
// that of access tokens.
func (m *Manager) SignJWT(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("counterfoil: the claims can't be written down: %w", err)
	}
	if payload[0] != '{' {
		return "", errors.New("counterfoil: claims are a JSON object")
	}
	return m.keys.ring.Load().SignJWT(typ, payload, m.now())
}

// Issuer is how the site names itself in what it signs, as iss: the
// Config.PublicURL, or "counterfoil" where there is none.
func (m *Manager) Issuer() string { return m.issuer() }

// CheckToken returns the live session that an access token belongs to: the
// signature and the claims are checked, and then that the session lives, so that
// a token dies with its session within Config.Bound.
//
// Errors: ErrInvalidToken for any token that is not good, or not any more;
// ErrUnavailable if that can't be told.
func (m *Manager) CheckToken(ctx context.Context, signed string) (*Session, error) {
	session := &Session{}
	if err := m.checkToken(ctx, signed, session); err != nil {
		return nil, err
	}
	return session, nil
}

// checkToken is CheckToken, and puts the session where it is to stay.
func (m *Manager) checkToken(ctx context.Context, signed string, s *Session) error {
	// Whether it has expired is judged again below, after the session was
	// looked up, so the clock need not be read here.
	var claims token.Claims
	err := m.verifier.Load().VerifyInto(&claims, signed, m.latestNow())
	if errors.Is(err, token.ErrNotYetValid) { // or else the time was old
		err = m.verifier.Load().VerifyInto(&claims, signed, m.now())
	}
	if err != nil {
		return wrap(ErrInvalidToken, err)
	}
	id, err := store.ParseSID(claims.SessionID)
	if err != nil {
		return wrap(ErrInvalidToken, err)
	}
	found, err := m.recall(ctx, id, s)
	if err != nil && !errors.Is(err, ErrEnded) {
		return err
	}
	// It may have expired since it was looked at: this process may have slept.
	if err != nil || s.user != claims.Subject || !found.now.Before(claims.Expires) {
		return ErrInvalidToken
	}
	m.touch(s)
	return nil
}

// JWKS serves the public keys (RFC 7517), for whoever checks our tokens without
// asking us; he learns of a logout only when the token expires. He may keep them
// for a minute, and ask again by their ETag.
func (m *Manager) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/jwk-set+json")
		h.Set("X-Content-Type-Options", "nosniff")
		// A new key is published longer than this before it signs.
		h.Set("Cache-Control", "public, max-age=60")
		body := m.keys.ring.Load().Prune(m.now()).JWKS()
		digest := sha256.Sum256(body)
		h.Set("ETag", `"`+cookieEncoding.EncodeToString(digest[:16])+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}
