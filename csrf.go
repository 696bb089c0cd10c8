package counterfoil

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strings"
)

const (
	// CSRFFieldName is the name of the hidden field that carries the token.
	CSRFFieldName = "csrf_token"
	// CSRFHeaderName is the header that carries it for requests without a form.
	CSRFHeaderName = "X-CSRF-Token"
)

var csrfHeader = http.CanonicalHeaderKey(CSRFHeaderName)

// The CSRF token is a synchronizer token: it belongs to one session and is
// compared with what the session on the server vouches for (ASVS 3.5.1). It is
// a digest of the session's secret under a label of its own, so the stored
// digest of the secret vouches for both, and what the store keeps opens
// neither.
//
// In the page it is masked: a fresh random pad, and the token XOR the pad. A
// page that is compressed together with text of an attacker's choice would
// otherwise leak it byte by byte (BREACH).
type csrfToken [sha256.Size]byte

const csrfLabel = "counterfoil csrf token\x00" // with the secret, one block of SHA-256

func (s *secret) csrfToken() csrfToken {
	var in [len(csrfLabel) + len(s)]byte
	copy(in[:], csrfLabel)
	copy(in[len(csrfLabel):], s[:])
	return sha256.Sum256(in[:])
}

const csrfLength = (2*sha256.Size*8 + 5) / 6

func (t csrfToken) mask() string {
	var raw [2 * len(t)]byte
	rand.Read(raw[:len(t)])
	subtle.XORBytes(raw[len(t):], raw[:len(t)], t[:])
	var text [csrfLength]byte
	cookieEncoding.Encode(text[:], raw[:])
	return string(text[:])
}

// matches compares in constant time.
func (t csrfToken) matches(masked string) bool {
	if len(masked) != csrfLength {
		return false
	}
	var text [csrfLength]byte
	var raw [2 * len(t)]byte
	copy(text[:], masked)
	if n, err := cookieEncoding.Decode(raw[:], text[:]); err != nil || n != len(raw) {
		return false
	}
	subtle.XORBytes(raw[:len(t)], raw[:len(t)], raw[len(t):])
	return subtle.ConstantTimeCompare(raw[:len(t)], t[:]) == 1
}

// CSRFToken returns the session's CSRF token, for a form field or for the
// X-CSRF-Token header. It looks different each time; all are good as long as
// the session lives. If there is no session yet, it begins an anonymous one,
// whose cookie goes out with this answer.
//
// Errors: ErrNoHandler; ErrCommitted if there is no session and the answer has
// begun; ErrNoSession for a request that came with a bearer token.
func CSRFToken(ctx context.Context) (string, error) {
	x, err := exchangeFrom(ctx)
	if err != nil {
		return "", err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.via == viaBearer {
		return "", ErrNoSession
	}
	secret := x.secret()
	if secret.isZero() {
		if err := x.beginAnonymous(); err != nil {
			return "", err
		}
		secret = x.secret()
	}
	return secret.csrfToken().mask(), nil
}

// CSRFField is [CSRFToken] as the hidden input that every form needs. With
// html/template, call it before the answer begins and hand the result to the
// template.
func CSRFField(ctx context.Context) (template.HTML, error) {
	token, err := CSRFToken(ctx)
	if err != nil {
		return "", err
	}
	return template.HTML(`<input type="hidden" name="` + CSRFFieldName + `" value="` + token + `">`), nil // base64url: nothing to escape
}

// guard refuses a request that could be forged. It is only asked about unsafe
// methods. There are three checks and all must pass: the cookie's session is
// live, the browser does not name another origin, and the token is the
// session's.
func (x *exchange) guard(r *http.Request) error {
	secret := x.secret()
	switch {
	case x.via == viaBearer:
		return nil // browsers never add a bearer token by themselves
	case x.unknownCookie:
		return ErrUnknownSession
	case secret.isZero():
		return ErrNoSession
	}
	if err := x.m.checkOrigin(r); err != nil {
		return err
	}
	token, err := x.presentedToken(r)
	if err != nil {
		return err
	}
	if !secret.csrfToken().matches(token) {
		return ErrCSRF
	}
	x.verified = true
	return nil
}

// checkOrigin asks what the browser says about where the request comes from.
// Other subdomains of the site count as foreign: they carry our cookie and need
// not be ours. A request with neither header comes from no current browser; we
// let the token alone decide about it, which a forger does not have.
func (m *Manager) checkOrigin(r *http.Request) error {
	site, origins := headerValue(r.Header, "Sec-Fetch-Site"), r.Header["Origin"]
	if len(origins) == 1 && origins[0] != m.config.PublicURL && slices.Contains(m.config.Origins, origins[0]) {
		return nil // ours by configuration, though another origin to the browser
	}
	if site != "" && site != "same-origin" && site != "none" {
		return ErrCrossOrigin
	}
	switch {
	case len(origins) == 0:
		return nil
	case len(origins) > 1:
		return ErrCrossOrigin
	case m.isOurOrigin(r, origins[0]):
		return nil
	case site == "same-origin" && (origins[0] == "null" || m.config.PublicURL == ""):
		// A page with "Referrer-Policy: no-referrer" posts with a null Origin,
		// and behind a proxy we don't know our own without PublicURL. No page
		// can forge Sec-Fetch-Site.
		return nil
	}
	return ErrCrossOrigin
}

// isOurOrigin compares whole origins, scheme and port included (D11).
func (m *Manager) isOurOrigin(r *http.Request, origin string) bool {
	if m.origins[origin] {
		return true
	}
	if m.config.PublicURL != "" {
		return false
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return origin == scheme+strings.ToLower(r.Host)
}

// presentedToken returns the token that came with the request, from the header
// or else from the form. It is never looked for in the URL or in a cookie.
func (x *exchange) presentedToken(r *http.Request) (string, error) {
	if tokens := r.Header[csrfHeader]; len(tokens) > 0 {
		if len(tokens) > 1 {
			return "", ErrCSRF
		}
		return tokens[0], nil
	}
	if err := x.parseForm(r); err != nil {
		return "", err
	}
	if tokens := r.PostForm[CSRFFieldName]; len(tokens) == 1 {
		return tokens[0], nil
	}
	return "", ErrCSRF
}

func (x *exchange) parseForm(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return ErrBadForm
	}
	if r.Body == nil { // only in tests: net/http always sets it
		return ErrCSRF
	}
	limit := x.m.config.MaxFormBytes
	r.Body = http.MaxBytesReader(x.underlying, r.Body, limit)
	switch kind {
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
	case "multipart/form-data":
		err = r.ParseMultipartForm(limit)
	default:
		return ErrCSRF // text/plain and the like hold no field
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return ErrFormTooLarge
	}
	if err != nil {
		return ErrBadForm
	}
	return nil
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
