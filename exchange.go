package counterfoil

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil/store"
)

// An exchange is one request and its answer: which session the request has, how
// it proved that, and what the handler changed. It is the context of the
// handler's request, and his ResponseWriter.
//
// Every request allocates one, and what is done with memory grows with its size:
// so it has room for what every request needs, leads to what few do, and is no
// longer than 568 bytes, for which the allocator takes 576.
type exchange struct {
	context.Context              // of the request as it came
	request         http.Request // as the handler gets it
	m               *Manager
	underlying      http.ResponseWriter

	mu  sync.Mutex              // a handler may use several goroutines
	who atomic.Pointer[Session] // nil: as the request began; read without mu, so that hooks may ask

	// known: firstSession is who it was then. verified: an unsafe request passed
	// the guard. unknownCookie: the cookie names no live session. All are settled
	// before the handler runs.
	known         bool
	verified      bool
	unknownCookie bool

	via          via
	cookieAction cookieAction
	unsaved      bool // the session is anonymous and will be created by the commit
	committed    bool
	failed       bool
	cookie       string // the value of the one that has brought the session; empty: another has, or none
	rare         *rare  // nil: there is nothing

	firstSession Session
	header       [1]string // the value of the one that the answer gets
}

// rare is what few requests have.
type rare struct {
	newSecret     *secret // of the cookie that the answer sets; nil: there is none
	values        values
	changes       *change // the latest
	headersBefore *header // the latest of those that outer handlers had set
}

// keep returns where to put what few requests have.
func (x *exchange) keep() *rare {
	if x.rare == nil {
		x.rare = new(rare)
	}
	return x.rare
}

type header struct {
	name   string
	values []string // may be none, by which net/http is told to leave one out
	before *header
}

// copyHeaders makes no map, as http.Header.Clone does: every request pays for the
// copy, and hardly one needs it.
func copyHeaders(h http.Header) (latest *header) {
	all, values := make([]header, 0, len(h)), make([]string, 0, len(h))
	for name, some := range h {
		first := len(values)
		values = append(values, some...)
		all = append(all, header{name, values[first:len(values):len(values)], latest})
		latest = &all[len(all)-1]
	}
	return latest
}

// session returns the session of the request, as it is now. It is never nil.
func (x *exchange) session() *Session {
	if s := x.who.Load(); s != nil {
		return s
	}
	if x.known {
		return &x.firstSession
	}
	return noSession
}

// hasSecret reports whether the session has a cookie.
func (x *exchange) hasSecret() bool {
	return x.cookie != "" || (x.rare != nil && x.rare.newSecret != nil)
}

// secret returns the one of the session's cookie. Zero: it has none, or there is
// no session.
func (x *exchange) secret() secret {
	if x.rare != nil && x.rare.newSecret != nil {
		return *x.rare.newSecret
	}
	cookie, _ := decodeCookie(x.cookie)
	return cookie.secret
}

// via is how the request proved that it belongs to its session.
type via uint8

const (
	viaNothing via = iota
	viaCookie
	viaBearer
)

type cookieAction uint8

const (
	cookieKeep cookieAction = iota
	cookieSet
	cookieExpire
)

type contextKey struct{}

// Value makes the exchange a context that knows itself, without the one that
// context.WithValue would allocate.
func (x *exchange) Value(key any) any {
	if key == (contextKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// String is what a context prints: without it fmt would print the request's
// headers, and the secret.
func (x *exchange) String() string { return "counterfoil.Handler" }

// GoString is String for %#v.
func (x *exchange) GoString() string { return x.String() }

// exchange returns the exchange of a context that comes from this manager's
// Handler, and not from another's.
func (m *Manager) exchange(ctx context.Context) (*exchange, error) {
	x, err := exchangeFrom(ctx)
	if err == nil && x.m != m {
		return nil, ErrNoHandler
	}
	return x, err
}

func exchangeFrom(ctx context.Context) (*exchange, error) {
	if x, ok := ctx.Value(contextKey{}).(*exchange); ok {
		return x, nil
	}
	return nil, ErrNoHandler
}

var noSession = new(Session)

// FromContext returns the session of the request, as it is now: after Login the
// user's, after Logout the zero Session. It is never nil; outside
// [Manager.Handler] it is the zero Session too.
func FromContext(ctx context.Context) *Session {
	x, err := exchangeFrom(ctx)
	if err != nil {
		return noSession
	}
	return x.session()
}

// Handler finds the session of each request, refuses forged requests, and saves
// what next changed before its answer leaves. See the package comment for the
// order of things.
//
// A request with a bearer token is judged by that alone: its cookies count for
// nothing and it needs no CSRF token (unless Config.CookiesOnly).
//
// A form that has its CSRF token in a field is read before next runs, which finds
// all fields and files in the request, and no Body any more. If next reads the
// Body itself, as a reverse proxy or r.MultipartReader does, send the token in the
// header X-CSRF-Token.
//
// The answer to a request with a session gets Cache-Control: no-store, unless
// next sets it; where it may be stored it gets Vary: Cookie. Whoever changes
// Cache-Control outside of Handler adds that himself. So static files set it, or
// are served outside of Handler.
func (m *Manager) Handler(next http.Handler) http.Handler { return &handler{m, next} }

type handler struct {
	m    *Manager
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Context: r.Context(), m: h.m, underlying: w}
	if h := w.Header(); len(h) > 0 {
		x.keep().headersBefore = copyHeaders(h)
	}
	err := x.identify(r) // of which nobody sees anything before it is done
	x.request = *r.WithContext(x)
	r = &x.request
	defer x.removeUploads()
	if err == nil {
		err = x.admit(r)
	}
	if err != nil {
		h.m.refuse(x, r, err)
	} else {
		h.next.ServeHTTP(x, r)
	}
	x.ready() // an answer without a body commits here
}

// removeUploads does what net/http does for its own copy of the request.
func (x *exchange) removeUploads() {
	if f := x.request.MultipartForm; f != nil {
		_ = f.RemoveAll() // what can't be removed is the system's to clean up
	}
}

// admit lets the request in, or says why not.
func (x *exchange) admit(r *http.Request) error {
	switch {
	case !isSafe(r.Method):
		return x.guard(r)
	case x.via == viaCookie && headerValue(r.Header, "Upgrade") != "":
		// A WebSocket begins with a GET that any page may send with our cookie,
		// and whose answer it may read (ASVS 4.4.2).
		return x.m.checkOrigin(r)
	}
	return nil
}

// identify finds the session of the request. Hooks get x as their context: until
// then they see nobody, and not whom an outer manager has found.
func (x *exchange) identify(r *http.Request) error {
	if !x.m.config.CookiesOnly {
		token, found, err := bearerToken(r.Header)
		if err != nil {
			return err
		}
		if found {
			return x.identifyBearer(token)
		}
	}
	return x.identifyCookie(r)
}

func (x *exchange) identifyBearer(token string) error {
	if err := x.m.checkToken(x, token, &x.firstSession); err != nil {
		return err
	}
	x.via = viaBearer
	x.begin()
	return nil
}

// begin makes firstSession, which is complete now, the session of the request.
func (x *exchange) begin() {
	x.firstSession.current = true
	x.known = true
}

// become makes the session of a record, which was created just now, the session
// of the request.
func (x *exchange) become(record *store.Session) {
	s := newSession(record)
	s.current = true
	x.who.Store(s)
}

// identifyCookie finds the cookie's session. A cookie that we can't read or
// don't know is no session; it is not taken away, since the browser may by now
// hold a newer one (D15).
func (x *exchange) identifyCookie(r *http.Request) error {
	text, found, err := findCookie(r.Header, x.m.cookieName)
	if err != nil || !found {
		return err
	}
	cookie, ok := decodeCookie(text)
	if !ok {
		x.unknownCookie = true
		return nil
	}
	known, err := x.m.recall(x, cookie.id, &x.firstSession)
	if errors.Is(err, ErrEnded) || (err == nil && !cookie.secret.matches(known.secret)) {
		x.unknownCookie = true
		return nil
	}
	if err != nil {
		return err
	}
	x.m.touch(&x.firstSession)
	x.via, x.cookie = viaCookie, text
	x.begin()
	return nil
}

// bearerToken returns the token of an Authorization header of scheme Bearer
// (RFC 6750 section 2.1). Other schemes are the application's.
func bearerToken(h http.Header) (token string, found bool, err error) {
	lines := h["Authorization"]
	if len(lines) == 0 {
		return "", false, nil
	}
	if len(lines) > 1 {
		return "", false, ErrBadAuthorization
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	return strings.TrimLeft(token, " "), true, nil
}

// beginAnonymous begins a session for a visitor who has none. The commit
// creates it. Called with x.mu held.
func (x *exchange) beginAnonymous() error {
	if x.committed {
		return x.tooLate("an anonymous session")
	}
	x.setCookie(newSecret())
	x.unsaved = true
	return nil
}

// setCookie has the answer set a cookie with that secret.
func (x *exchange) setCookie(s secret) {
	x.keep().newSecret = &s
	x.cookieAction = cookieSet
}

// saveAnonymous creates the session that beginAnonymous promised.
func (x *exchange) saveAnonymous(ctx context.Context) error {
	life := x.m.config.AnonymousLifetime
	record, err := x.m.create(ctx, store.Creation{
		Session:  x.newRecord(life),
		Lifetime: life,
		Values:   applyChanges(nil, x.changes()),
	})
	if err != nil {
		return err
	}
	x.unsaved, x.rare.changes = false, nil
	x.become(&record)
	x.via = viaCookie
	return nil
}

// tooLate reports a change that can't take effect any more (D6).
func (x *exchange) tooLate(what string) error {
	// The pattern, not the path: paths may hold secrets of the application.
	x.m.config.Logger.WarnContext(x, "a change of the session came after the answer had begun and is lost", "change", what, "route", x.request.Pattern)
	return ErrCommitted
}
