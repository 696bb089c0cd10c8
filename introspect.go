package counterfoil

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
)

// Here are those who are asked about tokens, or asked to end them, by somebody
// else than the user's own request: RFC 7662 and RFC 7009.

// An Introspection is what there is to say about a token that works.
type Introspection struct {
	// Session is the one that the token belongs to.
	Session *Session

	// Access has the claims of an access token; nil: it is a refresh token. They
	// are shared with others who ask: don't change them.
	Access *token.Claims

	// Expires is when the token stops to work unless its session ends before.
	Expires time.Time
}

// Introspect says what an access token or a refresh token stands for. The access
// token may be for any of Config.Resources: compare Access.Audience. To ask is
// not to use: the session's LastSeen stays, and a refresh token works as before.
//
// Errors: ErrInvalidToken for any text that is no token which works;
// ErrUnavailable if that can't be told.
func (m *Manager) Introspect(ctx context.Context, presented string) (Introspection, error) {
	if t, ok := decodeRefresh(presented); ok {
		return m.introspectRefresh(ctx, t)
	}
	claims, id, err := m.examine(presented)
	if err != nil {
		return Introspection{}, err
	}
	session := &Session{}
	found, err := m.recall(ctx, id, session)
	if err != nil && !errors.Is(err, ErrEnded) {
		return Introspection{}, err
	}
	// It may have expired since it was looked at: this process may have slept.
	if err != nil || session.User() != claims.Subject || !found.now.Before(claims.Expires) {
		return Introspection{}, ErrInvalidToken
	}
	return Introspection{Session: session, Access: &claims, Expires: claims.Expires}, nil
}

// examine checks an access token for whomever, but for whether its session lives.
func (m *Manager) examine(signed string) (token.Claims, store.SID, error) {
	claims, err := m.examiner.Load().Verify(signed, m.latestNow())
	if errors.Is(err, token.ErrNotYetValid) { // or else the time was old
		claims, err = m.examiner.Load().Verify(signed, m.now())
	}
	if err != nil {
		return claims, store.SID{}, wrap(ErrInvalidToken, err)
	}
	id, err := store.ParseSID(claims.SessionID)
	if err != nil {
		return claims, id, wrap(ErrInvalidToken, err)
	}
	return claims, id, nil
}

func (m *Manager) introspectRefresh(ctx context.Context, t refreshToken) (Introspection, error) {
	record, err := m.store.FindRefresh(ctx, store.Rotation{
		ID:        t.id,
		Family:    t.familyDigest(),
		Presented: t.secret.digest(),
		Grace:     refreshGrace,
	})
	if err = fromStore(err); err == nil {
		// So a read says, which a primary that was deposed still answers: what
		// counts is the lease.
		_, err = m.recall(ctx, t.id, new(Session))
	}
	if errors.Is(err, ErrEnded) {
		return Introspection{}, ErrInvalidToken
	}
	if err != nil {
		return Introspection{}, err
	}
	return Introspection{Session: newSession(&record), Expires: record.Expires()}, nil
}

// Revoke ends the session of an access token or a refresh token: whoever holds
// one may do that, whatever the token is for. A refresh token that was used
// before ends its session, too. Every other text changes nothing and is no error
// (RFC 7009 section 2.2): it does not work already.
//
// Errors: ErrUnavailable, ErrIndeterminate.
func (m *Manager) Revoke(ctx context.Context, presented string) error {
	if t, ok := decodeRefresh(presented); ok {
		return m.revokeRefresh(ctx, t)
	}
	claims, id, err := m.examine(presented)
	if err != nil {
		return nil
	}
	s, err := m.find(ctx, id)
	switch {
	case errors.Is(err, ErrEnded):
		// So a read says, which a primary that was deposed still answers.
		s, err = &Session{id: id}, nil
	case err == nil && s.user != claims.Subject:
		return nil
	}
	if err != nil {
		return err
	}
	return m.revoke(ctx, s)
}

// revokeRefresh exchanges the token for one that nobody gets: so the store tells
// in one step whether the token was ever the session's, and ends it at once if
// the token was used before.
func (m *Manager) revokeRefresh(ctx context.Context, t refreshToken) error {
	nobodys := newSecret()
	rotated, err := m.store.RotateRefresh(ctx, store.Rotation{
		ID:        t.id,
		Family:    t.familyDigest(),
		Presented: t.secret.digest(),
		Next:      nobodys.digest(),
		Sealed:    t.seal(nobodys),
		Grace:     refreshGrace,
		Retain:    m.retain(),
	})
	switch {
	case errors.Is(err, store.ErrReused):
		m.refuseNow(t.id)
		m.emit(ctx, Event{Kind: TokenReused, Session: t.id.String()})
		return nil
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fromStore(err)
	}
	return m.revoke(ctx, newSession(&rotated.Session))
}

func (m *Manager) revoke(ctx context.Context, s *Session) error {
	ended, err := m.endLine(ctx, s)
	if err == nil && ended.Count > 0 {
		m.emitFor(ctx, LoggedOut, s)
	}
	return err
}

// checkResource returns ErrResource unless access tokens may be for it; empty
// means us.
func (m *Manager) checkResource(resource string) error {
	if resource == "" || slices.Contains(m.config.Resources, resource) {
		return nil
	}
	return ErrResource
}
