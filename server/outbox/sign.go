package outbox

import "time"

const (
	logoutType = "logout+jwt"   // OpenID Connect Back-Channel Logout 1.0 section 2.4
	eventType  = "secevent+jwt" // RFC 8417 section 2.3

	logoutEvent    = "http://schemas.openid.net/event/backchannel-logout"
	sessionRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"

	logoutLife = 2 * time.Minute // of a logout token: it is signed when it is sent
)

// A logoutToken has no nonce: so it can't be taken for an ID token.
type logoutToken struct {
	Issuer   string              `json:"iss"`
	Audience string              `json:"aud"`
	IssuedAt int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	Session  string              `json:"sid"`
	Events   map[string]struct{} `json:"events"`
}

// An eventToken has no exp and no sub: so it can't be taken for another JWT
// (RFC 8417 section 4.5).
type eventToken struct {
	Issuer   string           `json:"iss"`
	Audience string           `json:"aud"`
	IssuedAt int64            `json:"iat"`
	ID       string           `json:"jti"`
	Subject  any              `json:"sub_id"`
	Events   map[string]event `json:"events"`
}

// An event is one of CAEP 1.0 section 3.1.
type event struct {
	Time int64 `json:"event_timestamp"`
}

// opaque and complex are subject identifiers (RFC 9493 section 3, SSF 1.0
// section 3.2).
type opaque struct {
	Format string `json:"format"`
	ID     string `json:"id"`
}

type complex struct {
	Format  string  `json:"format"`
	Session *opaque `json:"session,omitempty"`
	Tenant  *opaque `json:"tenant,omitempty"`
}

// sign returns what is sent for a message. The same message has the same jti
// each time.
func (o *Outbox) sign(m Message) (string, error) {
	now := time.Now()
	if m.Way == Logout {
		return o.config.Sign(logoutType, logoutToken{
			Issuer:   o.config.Issuer(),
			Audience: m.Client,
			IssuedAt: now.Unix(),
			Expires:  now.Add(logoutLife).Unix(),
			ID:       m.ID,
			Session:  m.Session,
			Events:   map[string]struct{}{logoutEvent: {}},
		})
	}
	return o.config.Sign(eventType, eventToken{
		Issuer:   o.config.Issuer(),
		Audience: m.Client,
		IssuedAt: now.Unix(),
		ID:       m.ID,
		Subject:  o.subjectOf(m),
		Events:   map[string]event{sessionRevoked: {m.Ended.Unix()}},
	})
}

// subjectOf names the session, or us where all sessions have ended.
func (o *Outbox) subjectOf(m Message) complex {
	if m.Session == everybody {
		return complex{Format: "complex", Tenant: &opaque{"opaque", o.config.Issuer()}}
	}
	return complex{Format: "complex", Session: &opaque{"opaque", m.Session}}
}
