package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/server/pages"
)

// The server's own reasons to refuse, beside those of counterfoil and account.
var (
	errNotFound    = errors.New("server: no such page")
	errMethod      = errors.New("server: the page has no such method")
	errInternal    = errors.New("server: internal error")
	errContentType = errors.New("server: wrong content type")
	errUnreadable  = errors.New("server: unreadable body")
	errFields      = fmt.Errorf("%w: a field is missing, or no string", errUnreadable)
	errTooLarge    = errors.New("server: the body is too large")
	errParameter   = errors.New("server: unreadable parameter")
)

// problemFor says what the visitor is told about an error. Package counterfoil
// knows the rest; what nobody knows is a 503, since we could not make sure.
func problemFor(err error) counterfoil.Problem {
	if throttled := (*account.ThrottledError)(nil); errors.As(err, &throttled) {
		return newProblem("throttled", http.StatusTooManyRequests, "Too many wrong tries. Wait, then try again.")
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return newProblem(p.code, p.status, p.detail)
		}
	}
	return counterfoil.ProblemFor(err)
}

var problems = []struct {
	err    error
	code   string
	status int
	detail string
}{
	{account.ErrCredentials, "credentials", 401, "The name or the password is wrong."},
	{account.ErrBusy, "busy", 503, "Too many people are logging in at the moment. Try again in a second."},
	{client.ErrDenied, "client", 401, "Send the id and the secret of a client that may do this (RFC 6749 section 2.3.1)."},
	{errNotFound, "not-found", 404, "There is nothing here."},
	{errMethod, "method-not-allowed", 405, "This address takes other methods: see the Allow header."},
	{errContentType, "content-type", 415, "Send the body in the content type that this address takes."},
	{errFields, "unreadable", 400, "Send a JSON object in which each field that is asked for stands once, as a string."},
	{errUnreadable, "unreadable", 400, "The body can't be read."},
	{errTooLarge, "too-large", 413, "The body is too large."},
	{errParameter, "parameter", 400, "A parameter of the URL can't be read."},
	{errInternal, "internal", 500, "Something went wrong."},
}

func newProblem(code string, status int, detail string) counterfoil.Problem {
	return counterfoil.Problem{Type: "urn:counterfoil:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail}
}

// apiProblemFor is problemFor for programs. To them, having no session is a
// matter of credentials; to a browser it is a form that came from nowhere.
func apiProblemFor(err error) counterfoil.Problem {
	p := problemFor(err)
	if errors.Is(err, counterfoil.ErrNoSession) || errors.Is(err, counterfoil.ErrUnknownSession) {
		p.Status, p.Title = http.StatusUnauthorized, http.StatusText(http.StatusUnauthorized)
		p.Detail = "This request needs a session. Log in first."
	}
	return p
}

// refuse answers a request that the sessions' manager did not let in.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if s.isLogoutAgain(r, err) {
		s.logout(w, r)
		return
	}
	s.fail(w, r, err)
}

// fail answers with an error: as a page, or to programs as problem+json.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if isAPI(r) {
		s.failAPI(w, r, err)
		return
	}
	if errors.Is(err, counterfoil.ErrEnded) { // by another request, while this one ran
		toLogin(w, r)
		return
	}
	s.showMessage(w, r, pages.ForStatus(problemFor(err).Status), err)
}

func (s *Server) failAPI(w http.ResponseWriter, r *http.Request, err error) {
	p := apiProblemFor(err)
	if id := s.incident(r, p.Status, err); id != "" {
		p.Detail += " Incident " + id + "."
	}
	setRetryAfter(w, p.Status, err)
	switch {
	case errors.Is(err, counterfoil.ErrInvalidToken):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 section 3
	case errors.Is(err, client.ErrDenied):
		w.Header().Set("WWW-Authenticate", basicChallenge)
	}
	p.Write(w)
}

// basicChallenge asks for a client's id and secret.
const basicChallenge = `Basic realm="counterfoil"`

// showMessage shows a page that tells why something did not happen.
func (s *Server) showMessage(w http.ResponseWriter, r *http.Request, m pages.Message, err error) {
	m.ID = s.incident(r, m.Status, err)
	setRetryAfter(w, m.Status, err)
	s.show(w, r, m.Status, m)
}

// incident logs the cause of a server error and returns the id by which it is
// found in the log: the visitor is told nothing else.
func (s *Server) incident(r *http.Request, status int, err error) string {
	if status < 500 {
		return ""
	}
	id := strings.ToLower(rand.Text()[:12])
	s.log.ErrorContext(r.Context(), "a request failed", "incident", id, "status", status, "method", r.Method, "path", r.URL.Path, "error", err)
	return id
}

// setRetryAfter tells a client that may try again when that makes sense.
func setRetryAfter(w http.ResponseWriter, status int, err error) {
	wait := 2 * time.Second
	if throttled := (*account.ThrottledError)(nil); errors.As(err, &throttled) {
		wait = throttled.RetryAfter
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
}
