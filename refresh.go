package counterfoil

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"github.com/counterfoil/counterfoil/store"
)

// Refresh tokens rotate: each works once, and gives its successor (RFC 9700
// section 4.14.2). For 30 seconds it gives the same successor again, so that two
// tabs or a lost answer log nobody out. After that a used token means that a
// copy is about, and the session ends.
//
// A token has three parts: the session's id; the family, a secret that all
// tokens of the session share; and its own secret. The family tells an old
// token, which ends the session, from a made-up one, which changes nothing: who
// merely knows a session's id can't end it.
//
// The store has digests only. So that the same successor can be given again, it
// is kept sealed under the token that it follows.
type refreshToken struct {
	id     store.SID
	family [16]byte
	secret secret
}

const refreshLength = (len(store.SID{})+16+len(secret{}))*8/6 + 1

func (t *refreshToken) encode() string {
	raw := make([]byte, 0, refreshLength)
	raw = append(raw, t.id[:]...)
	raw = append(raw, t.family[:]...)
	raw = append(raw, t.secret[:]...)
	return cookieEncoding.EncodeToString(raw)
}

func decodeRefresh(text string) (t refreshToken, ok bool) {
	if len(text) != refreshLength {
		return t, false
	}
	raw, err := cookieEncoding.DecodeString(text)
	if err != nil || len(raw) != len(t.id)+len(t.family)+len(t.secret) {
		return t, false
	}
	rest := raw[copy(t.id[:], raw):]
	rest = rest[copy(t.family[:], rest):]
	copy(t.secret[:], rest)
	return t, true
}

func (t *refreshToken) familyDigest() store.Digest { return sha256.Sum256(t.family[:]) }

// seal hides the successor's secret under the token's own, and opens it again.
// The pad is used for one successor only: a second rotation of the same token
// is refused by the store.
func (t *refreshToken) seal(successor [32]byte) (out [32]byte) {
	pad := sha256.Sum256(append([]byte("counterfoil refresh successor\x00"), t.secret[:]...))
	subtle.XORBytes(out[:], successor[:], pad[:])
	return out
}

// A Client is the program that an API login came from, for the list of
// sessions. Its texts are cut to 512 bytes.
type Client struct {
	UserAgent string // as it calls itself
	Address   string // where it is

	// Resource is the one of Config.Resources that the first access token is
	// for. Empty: it is for us.
	Resource string
}

// A Grant is what an API client gets: an access token, and a refresh token for
// the next one.
type Grant struct {
	AccessToken
	RefreshToken string   // works once: see Manager.Refresh
	Session      *Session // that both belong to
}

// LoginClient makes a session for an API client, which keeps tokens and no
// cookie. It needs no request and no earlier session; Login.InsecureAllowGET
// does not matter.
//
// Errors: ErrResource, ErrSuperseded, ErrTooLarge, ErrUnavailable,
// ErrIndeterminate; a Login without a user, or with text that is not UTF-8.
func (m *Manager) LoginClient(ctx context.Context, l Login, c Client) (Grant, error) {
	if err := l.check(); err != nil {
		return Grant{}, err
	}
	if err := m.checkResource(c.Resource); err != nil {
		return Grant{}, err
	}
	id, err := m.newSID(ctx)
	if err != nil {
		return Grant{}, err
	}
	first := refreshToken{id: id, secret: newSecret()}
	rand.Read(first.family[:])
	record, life := m.newLogin(&l)
	record.ID, record.Persistent = first.id, false
	record.UserAgent, record.Address = cut(c.UserAgent, store.MaxText), cut(c.Address, store.MaxText)
	created, err := m.create(ctx, store.Creation{
		Session:    record,
		Lifetime:   life,
		Refresh:    store.RefreshSeed{Family: first.familyDigest(), Current: first.secret.digest()},
		Generation: l.Since,
		Limit:      m.config.MaxSessions,
	})
	if err != nil {
		return Grant{}, err
	}
	s := newSession(&created)
	m.emitFor(ctx, LoggedIn, s)
	return m.grant(ctx, s, first, c.Resource)
}

// Refresh exchanges a refresh token for an access token and its successor. For 30
// seconds the same token may be exchanged again, for the same successor.
//
// Errors: ErrInvalidGrant for any token that is not good, or not any more; if
// it was used before and its grace is over, its session has ended.
// ErrUnavailable, ErrIndeterminate: present the same token again.
func (m *Manager) Refresh(ctx context.Context, presented string) (Grant, error) {
	return m.RefreshFor(ctx, presented, "")
}

// RefreshFor is Refresh with an access token for one of Config.Resources (RFC
// 8707): it is accepted there and nowhere else. Empty: the token is for us,
// whatever the one before was for.
//
// Errors: as Refresh, and ErrResource, which leaves the refresh token as it is.
func (m *Manager) RefreshFor(ctx context.Context, presented, resource string) (Grant, error) {
	if err := m.checkResource(resource); err != nil {
		return Grant{}, err
	}
	old, ok := decodeRefresh(presented)
	if !ok {
		return Grant{}, ErrInvalidGrant
	}
	next := old
	next.secret = newSecret()
	rotated, err := m.store.RotateRefresh(ctx, store.Rotation{
		ID:        old.id,
		Family:    old.familyDigest(),
		Presented: old.secret.digest(),
		Next:      next.secret.digest(),
		Sealed:    old.seal(next.secret),
		Grace:     refreshGrace,
		Retain:    m.retain(),
	})
	switch {
	case errors.Is(err, store.ErrReused):
		m.refuseNow(old.id)
		m.emit(ctx, Event{Kind: TokenReused, Session: old.id.String()})
		return Grant{}, wrap(ErrInvalidGrant, err)
	case errors.Is(err, store.ErrNotFound):
		return Grant{}, wrap(ErrInvalidGrant, err)
	case err != nil:
		return Grant{}, fromStore(err)
	}
	if rotated.Replayed {
		next.secret = old.seal(rotated.Sealed)
	}
	s := newSession(&rotated.Session)
	m.emitFor(ctx, TokenRefreshed, s)
	return m.grant(ctx, s, next, resource)
}

func (m *Manager) grant(ctx context.Context, s *Session, refresh refreshToken, resource string) (Grant, error) {
	access, err := m.sign(ctx, s, resource, m.now())
	if err != nil {
		return Grant{}, err
	}
	s.current = true
	return Grant{AccessToken: access, RefreshToken: refresh.encode(), Session: s}, nil
}
