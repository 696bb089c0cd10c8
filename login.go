package counterfoil

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil/store"
)

// A Login says who has proved to be whom, and how.
type Login struct {
	// User is the user's stable id, 1 to 256 bytes: what all his sessions are
	// found by. Not an e-mail address that may change hands.
	User string

	// Name is shown to him and stands in tokens as preferred_username, up to 256
	// bytes. Empty: User.
	Name string

	// Methods is how he proved it: amr values (RFC 8176), up to 16. Nil: "pwd".
	Methods []string

	// Remember keeps him signed in when the browser closes, with the longer
	// time-outs.
	Remember bool

	// Since is what [Manager.Generation] returned before the credentials were
	// looked at. If all sessions of the user are ended after that, say because
	// his password was changed, the login fails with ErrSuperseded. Zero: not
	// checked.
	Since uint64

	// InsecureAllowGET allows the login in a GET, which carries no CSRF token: a
	// foreign page could log the visitor in as somebody else. Set it only where
	// something else proves that this browser began the login, such as the
	// state of an OAuth flow kept in its session.
	InsecureAllowGET bool
}

// maxMethods is how many amr values a token takes.
const maxMethods = 16

func (l *Login) check() error {
	if l.User == "" {
		return misusef("a login needs the user's id: set Login.User")
	}
	if l.Name == "" {
		l.Name = l.User
	}
	if l.Methods == nil {
		l.Methods = []string{"pwd"}
	}
	for _, method := range l.Methods {
		if method == "" || strings.ContainsAny(method, " \t\r\n") {
			return misusef("%q is no authentication method", method)
		}
	}
	if len(l.Methods) > maxMethods {
		return misusef("a login takes at most %d authentication methods", maxMethods)
	}
	// What can't stand in a token must not stand in a session.
	if !utf8.ValidString(l.User + l.Name + strings.Join(l.Methods, "")) {
		return misusef("user, name and methods of a login are UTF-8")
	}
	return nil
}

// Generation counts how often all sessions of the user were ended. Read it
// before you look at credentials, and hand it to Login.Since. It is at least 1,
// also for a user who has never had a session.
//
// Errors: ErrUnavailable.
func (m *Manager) Generation(ctx context.Context, user string) (uint64, error) {
	g, err := m.store.Generation(ctx, user)
	return g, fromStore(err)
}

// Login makes the user's session in the place of the one that the request came
// with: with a new id and a new secret (ASVS 7.2.4). The old one ends. Values
// of an anonymous session, or of the same user's, move over.
//
// When it returns nil the session is in the store and its cookie goes out with
// the answer. A user at his limit (Config.MaxSessions) loses his oldest.
//
// Errors: ErrNoHandler, ErrCommitted, ErrNoSession if the request came without
// a session, ErrUnverified in a safe request, ErrEnded if its session ended
// meanwhile (say by another login from the same form), ErrSuperseded,
// ErrTooLarge, ErrUnavailable; ErrIndeterminate, after which the old session may
// have ended; a Login without a user, or with text that is not UTF-8.
func (m *Manager) Login(ctx context.Context, l Login) error {
	x, err := m.exchange(ctx)
	if err != nil {
		return err
	}
	if err := l.check(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.committed:
		return x.tooLate("login")
	case x.via != viaCookie:
		return ErrNoSession
	case !x.verified && !l.InsecureAllowGET:
		return ErrUnverified
	}
	record, life := m.newLogin(&l)
	record.UserAgent, record.Address = x.client()
	old := x.session()
	if old.user == l.User {
		record.Lineage = old.line()
	}
	err = x.replace(ctx, record, store.Creation{
		Lifetime:   life,
		Generation: l.Since,
		Inherit:    old.user == "" || old.user == l.User,
		Limit:      m.config.MaxSessions,
	})
	if err != nil {
		return err
	}
	m.emitFor(ctx, LoggedIn, x.session())
	return nil
}

// Rotate gives the session a new id and a new secret, and ends the old ones.
// Who, since when and until when stay, and so do the values. Call it when the
// session gains rights other than by a login.
//
// Errors: ErrNoHandler, ErrCommitted, ErrNoSession if the request came without a
// session or by a token, ErrEnded, ErrUnavailable, ErrIndeterminate.
func (m *Manager) Rotate(ctx context.Context) error {
	x, err := m.exchange(ctx)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.committed:
		return x.tooLate("rotation")
	case x.via != viaCookie || x.session() == noSession:
		return ErrNoSession
	}
	record := x.session().record()
	record.Lineage = x.session().line()
	return x.replace(ctx, record, store.Creation{Inherit: true})
}

// replace creates a session that takes the place of the present one, under a
// new id and secret. Called with x.mu held.
func (x *exchange) replace(ctx context.Context, record store.Session, c store.Creation) error {
	m, old := x.m, x.session().id
	id, err := m.newSID(ctx)
	if err != nil {
		return err
	}
	secret := newSecret()
	record.ID, record.Secret = id, secret.digest()
	c.Session, c.Replaces = record, old
	created, err := m.create(ctx, c)
	if err != nil {
		return err
	}
	m.refuseNow(old)
	x.become(&created)
	x.setCookie(secret)
	x.unsaved = false
	x.rare.values = values{}
	if !c.Inherit {
		x.rare.changes = nil // they were another user's
	}
	return nil
}

// newLogin is the record of a login and the life that it gets.
func (m *Manager) newLogin(l *Login) (store.Session, time.Duration) {
	record := store.Session{
		User:       l.User,
		Name:       l.Name,
		Methods:    strings.Join(l.Methods, " "),
		Idle:       m.config.IdleTimeout,
		Persistent: l.Remember,
	}
	life := m.config.Lifetime
	if l.Remember {
		record.Idle, life = m.config.RememberIdle, m.config.RememberLifetime
	}
	record.Idle = min(record.Idle, life)
	return record, life
}

// newRecord is the record of an anonymous session.
func (x *exchange) newRecord(idle time.Duration) store.Session {
	secret := x.secret()
	record := store.Session{ID: store.NewSID(x.m.now()), Secret: secret.digest(), Idle: idle}
	record.UserAgent, record.Address = x.client()
	return record
}

// client describes who made the request, for the list of sessions.
func (x *exchange) client() (userAgent, address string) {
	return cut(x.request.UserAgent(), store.MaxText), cut(x.m.config.ClientAddress(&x.request), store.MaxText)
}

// cut shortens client's text to what the store takes; a broken last character
// is dropped.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
