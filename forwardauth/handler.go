package forwardauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// A Config says whom a [Handler] believes and where it leads.
type Config struct {
	// Sessions judges the requests. Required.
	Sessions *counterfoil.Manager

	// LoginURL is the login page, such as "https://auth.example.com/login". It
	// gets the URL that was asked for in its query, as next. Required. Its origin
	// is one of those that next may lead to.
	LoginURL string

	// Origins are the other origins that a login may lead back to, such as
	// "https://app.example.com" (ASVS 3.7.2).
	Origins []string

	// TrustedProxies are the addresses from which it is believed what the
	// original request was. Empty: nobody's.
	TrustedProxies []netip.Prefix

	// AmbiguousPaths lets requests through whose path means different things to
	// different programs: "//", ".", "..", ";", "\\", or some signs encoded, such
	// as "%2e" and "%2f". Set it only if the proxy has no rules about paths, or
	// none that the application could read differently.
	AmbiguousPaths bool

	// IdentityToken adds X-Auth-Token, a JWT about the user that the application
	// can verify: [counterfoil.Manager.SignIdentity]. Its audience is the origin
	// of the original request, which must then be one of Origins or LoginURL's:
	// others are refused.
	IdentityToken bool

	// OnRefusal is told why a question was refused before or after
	// the manager has judged it: contradictory headers, an ambiguous path, an
	// origin that is not listed. What the manager refuses, its Config.OnEvent is
	// told. Nil: nobody.
	OnRefusal func(*http.Request, error)
}

// A Handler answers the questions of reverse proxies. Make it with [New]; it is
// safe for concurrent use.
type Handler struct {
	config  Config
	origins []string // that next may lead to
}

// New returns a handler, or says what is wrong with the configuration.
func New(c Config) (*Handler, error) {
	if c.Sessions == nil {
		return nil, errors.New("forwardauth: Config.Sessions is missing: make it with counterfoil.New")
	}
	login, err := url.Parse(c.LoginURL)
	if err != nil {
		return nil, fmt.Errorf("forwardauth: login URL: %w", err)
	}
	own, ok := originOf(login.Scheme, login.Host)
	if !ok || login.User != nil || login.RawQuery != "" || login.Fragment != "" {
		return nil, fmt.Errorf("forwardauth: login URL %q: write scheme, host and path, such as https://auth.example.com/login", c.LoginURL)
	}
	h := &Handler{config: c, origins: []string{own}}
	for _, origin := range c.Origins {
		scheme, host, _ := strings.Cut(origin, "://")
		if spelled, ok := originOf(scheme, host); !ok || spelled != origin {
			return nil, fmt.Errorf("forwardauth: origin %q: write scheme and host only, such as https://app.example.com", origin)
		}
		h.origins = append(h.origins, origin)
	}
	h.config.TrustedProxies = slices.Clone(c.TrustedProxies)
	return h, nil
}

// The headers of an answer.
const (
	userHeader    = "X-Auth-User"    // the user's stable id
	nameHeader    = "X-Auth-Name"    // his name for display, or the id again
	sessionHeader = "X-Auth-Session" // the session's public id, as in logs
	tokenHeader   = "X-Auth-Token"
	loginHeader   = "X-Login-Url" // as net/http spells X-Login-URL
)

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Cache-Control"] = noStore
	o, err := h.original(r)
	if err != nil {
		h.note(r, err)
		h.refuse(w, r, o, err)
		return
	}
	session, err := h.config.Sessions.Admit(o.request(r))
	if err != nil {
		h.refuse(w, r, o, err)
		return
	}
	if h.config.IdentityToken {
		signed, err := h.sign(session, o)
		if err != nil {
			h.note(r, err)
			h.refuse(w, r, o, err)
			return
		}
		w.Header().Set(tokenHeader, signed)
	}
	let(w, session)
}

var noStore = []string{"no-store"}

// let answers that the request may go on. Every header is there every time:
// where one is missing, a proxy may let the client's through, or a placeholder.
func let(w http.ResponseWriter, s *counterfoil.Session) {
	header := w.Header()
	user := headerValue(s.User())
	header[userHeader] = []string{user}
	header[nameHeader] = []string{cmp.Or(headerValue(s.Name()), user)}
	header[sessionHeader] = []string{s.ID()}
	header["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) sign(s *counterfoil.Session, o original) (string, error) {
	origin, ok := h.allowed(o)
	if !ok {
		return "", errAudience
	}
	return h.config.Sessions.SignIdentity(s, origin)
}

func (h *Handler) note(r *http.Request, err error) {
	if h.config.OnRefusal != nil {
		h.config.OnRefusal(r, err)
	}
}

// refuse answers that the request must not go on.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, o original, err error) {
	problem := problemFor(err)
	if problem.Status != http.StatusUnauthorized {
		problem.Write(w)
		return
	}
	login := h.loginURL(o)
	if redirect, _ := ownQuery(r); redirect && isPage(r.Header, o) {
		w.Header().Set("Location", login)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.Header().Set(loginHeader, login)
	w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 section 15.5.2
	if errors.Is(err, counterfoil.ErrInvalidToken) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 section 3
	}
	problem.Write(w)
}

// isPage reports whether the original request is for a page in a browser, and
// not by a script or a program, who would take a login page for an answer.
func isPage(header http.Header, o original) bool {
	if o.method != http.MethodGet && o.method != http.MethodHead || len(header["Authorization"]) > 0 {
		return false
	}
	if mode := header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(header.Get("Accept"), "text/html")
}

// headerValue writes a name so that no reader of a header takes it for another:
// letters, digits and a few signs stay, other bytes are written as in a URL,
// "%20".
func headerValue(s string) string {
	const plain = "-._~@:+/="
	if strings.IndexFunc(s, func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune(plain, c) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if isAlphanumeric(rune(c)) || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isAlphanumeric(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
