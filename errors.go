package counterfoil

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/counterfoil/counterfoil/internal/problem"
	"github.com/counterfoil/counterfoil/store"
)

// The reasons to refuse a request. Handler passes them to Config.ErrorHandler;
// methods return them, possibly wrapped. [ProblemFor] says what the visitor is
// told.
var (
	// ErrNoSession: an unsafe request, or a call, that needs a session came
	// without one.
	ErrNoSession = errors.New("counterfoil: the request has no session")

	// ErrUnknownSession: the cookie names no live session. It has ended or
	// expired, or it was never ours.
	ErrUnknownSession = errors.New("counterfoil: the session cookie names no live session")

	// ErrCSRF: the CSRF token is missing or is not this session's.
	ErrCSRF = errors.New("counterfoil: the csrf token is missing or not this session's: put counterfoil.CSRFField into the form, or send X-CSRF-Token")

	// ErrCrossOrigin: the browser says that another origin made the request.
	ErrCrossOrigin = errors.New("counterfoil: the request comes from another origin: if that origin is yours, list it in Config.Origins")

	// ErrBadCookie: the Cookie header is oversized, or names the session cookie
	// more than once with different values.
	ErrBadCookie = errors.New("counterfoil: ambiguous or oversized cookie header")

	// ErrBadAuthorization: the Authorization header can't be read.
	ErrBadAuthorization = errors.New("counterfoil: unreadable or repeated authorization header")

	// ErrBadForm: the form can't be read.
	ErrBadForm = errors.New("counterfoil: unreadable form")

	// ErrFormTooLarge: the form exceeds Config.MaxFormBytes.
	ErrFormTooLarge = errors.New("counterfoil: the form is larger than Config.MaxFormBytes: send large uploads with the X-CSRF-Token header")

	// ErrInvalidToken: the access token is not, or no longer, good.
	ErrInvalidToken = errors.New("counterfoil: the access token is not valid")

	// ErrInvalidGrant: the refresh token is not, or no longer, good.
	ErrInvalidGrant = errors.New("counterfoil: the refresh token is not valid")

	// ErrResource: a token was asked for a resource that is not configured.
	ErrResource = errors.New("counterfoil: no such resource: list it in Config.Resources (counterfoil serve --resource)")

	// ErrUnavailable: the store can't be asked, so nothing can be accepted.
	ErrUnavailable = errors.New("counterfoil: the session store can't be reached")

	// ErrIndeterminate: a write was handed to the store and its outcome is
	// unknown. A logout that returns it may or may not have happened: repeat it.
	ErrIndeterminate = errors.New("counterfoil: the outcome of the write is unknown: repeat it")

	// ErrEnded: the session ended while the request ran.
	ErrEnded = errors.New("counterfoil: the session has ended")

	// ErrSuperseded: all of the user's sessions were ended while he logged in.
	ErrSuperseded = errors.New("counterfoil: the user's sessions were ended while he logged in")

	// ErrCommitted: the answer's headers have gone out, so nothing of the
	// session can change any more in this request.
	ErrCommitted = errors.New("counterfoil: the answer has begun: change the session before writing the body")

	// ErrConflict: other requests changed the values again and again.
	ErrConflict = errors.New("counterfoil: too many concurrent changes of the session's values")

	// ErrTooLarge: the session's values, or a name, exceed their limit: 1 MiB for
	// all values together, 256 bytes for a user and for his name.
	ErrTooLarge = errors.New("counterfoil: too large for a session")

	// ErrUnverified: Login was called in a GET, so nothing proves that the
	// visitor meant it. See Login.InsecureAllowGET.
	ErrUnverified = errors.New("counterfoil: login in a safe request: log in by POST, or set Login.InsecureAllowGET")

	// ErrNoHandler: the context does not come from Manager.Handler.
	ErrNoHandler = errors.New("counterfoil: no session in this context: wrap your mux with Manager.Handler")

	// ErrNotFound: there is no such session, or it is not the user's.
	ErrNotFound = errors.New("counterfoil: no such session")
)

// fromStore translates an error of the store. Whatever the store could not
// answer is ErrUnavailable: an error is never taken for an absent session.
func fromStore(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return ErrEnded
	case errors.Is(err, store.ErrConflict):
		return ErrConflict
	case errors.Is(err, store.ErrSuperseded):
		return ErrSuperseded
	case errors.Is(err, store.ErrTooLarge):
		return wrap(ErrTooLarge, err)
	case errors.Is(err, store.ErrIndeterminate):
		return wrap(ErrIndeterminate, err)
	default:
		return wrap(ErrUnavailable, err)
	}
}

// A misuse is a mistake of the program, such as a login without a user. To try
// again does not help, so it is no 503.
type misuse struct{ error }

func misusef(format string, args ...any) error {
	return misuse{fmt.Errorf("counterfoil: "+format, args...)}
}

func (e misuse) Unwrap() error { return e.error }

func (misuse) Is(target error) bool { return target == errMisuse }

var errMisuse = errors.New("counterfoil: a mistake of the program")

// wrap gives an error of this package its cause: the visitor is told of the
// first, the operator of both.
func wrap(err, cause error) error { return fmt.Errorf("%w: %w", err, cause) }

// A Problem is what a visitor is told (RFC 9457). It holds nothing that he
// could use against the server: the cause is in the log.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// ProblemFor translates an error of this package into what the visitor is told.
// An error that it does not know is a 503: we could not make sure, so we refuse.
func ProblemFor(err error) Problem {
	for _, k := range problems {
		if errors.Is(err, k.err) {
			return newProblem(k.code, k.status, k.detail)
		}
	}
	return newProblem("unavailable", http.StatusServiceUnavailable, "The service can't check sessions at the moment. Try again in a few seconds.")
}

func newProblem(code string, status int, detail string) Problem {
	return Problem{Type: "urn:counterfoil:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail}
}

// problems is searched in order. What the store could not answer comes first:
// whatever else an error says, that is never a 401 or 403.
var problems = []struct {
	err    error
	code   string
	status int
	detail string
}{
	{ErrUnavailable, "unavailable", 503, "The service can't check sessions at the moment. Try again in a few seconds."},
	{ErrIndeterminate, "indeterminate", 503, "The service can't tell whether that was done. Try again."},
	{ErrNoSession, "no-session", 403, "This request needs a session. Open the page again, let the site set its cookie, and send the form once more."},
	{ErrUnknownSession, "unknown-session", 403, "Your session has ended. Open the page again, log in, and send the form once more."},
	{ErrCSRF, "csrf", 403, "The form's csrf token is missing or not this session's. Open the page again and send the form once more."},
	{ErrCrossOrigin, "cross-origin", 403, "The request came from another site. Open this site directly and send the form once more."},
	{ErrUnverified, "unverified", 403, "Open the login page and send its form."},
	{ErrBadCookie, "bad-cookie", 400, "The browser sent contradictory or oversized cookies. Delete this site's cookies and open the page again."},
	{ErrBadAuthorization, "bad-authorization", 400, "Send one Authorization header: Bearer, a space, and the access token."},
	{ErrBadForm, "bad-form", 400, "The form can't be read. Send it as application/x-www-form-urlencoded."},
	{ErrFormTooLarge, "form-too-large", 413, "The form is too large."},
	{ErrInvalidToken, "invalid-token", 401, "The access token is not valid any more. Log in again or use the refresh token."},
	{ErrInvalidGrant, "invalid-grant", 400, "The refresh token is not valid any more. Log in again."},
	{ErrResource, "resource", 400, "There are no access tokens for this resource."},
	{ErrEnded, "ended", 401, "Your session has ended. Log in again."},
	{ErrSuperseded, "superseded", 401, "Your sessions were ended while you logged in. Log in again."},
	{errNoList, "not-found", 404, "There is no such status list."},
	{ErrNotFound, "not-found", 404, "There is no such session."},
	{ErrConflict, "conflict", 409, "Too many changes at the same time. Try again."},
	{ErrTooLarge, "too-large", 413, "That is too large to be kept."},
	{ErrCommitted, "committed", 500, "Something went wrong."},
	{ErrNoHandler, "no-handler", 500, "Something went wrong."},
	{errMisuse, "internal", 500, "Something went wrong."},
}

// Write sends the problem as application/problem+json, with the headers that
// belong to its status.
func (p Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	switch p.Status {
	case http.StatusServiceUnavailable:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", "2")
		}
	case http.StatusUnauthorized:
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", "Bearer")
		}
	}
	problem.Problem(p).Send(w)
}

// WriteError is the default Config.ErrorHandler: it answers with the [Problem]
// of the error, and logs nothing. A request that brought a bad bearer token
// learns so by WWW-Authenticate (RFC 6750 section 3).
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrInvalidToken) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	ProblemFor(err).Write(w)
}

// isHangUp reports whether err only says that the client has gone away. A
// deadline that has passed is another thing: the store was too slow.
func isHangUp(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled)
}
