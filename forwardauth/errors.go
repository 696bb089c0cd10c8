package forwardauth

import (
	"errors"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

var (
	errForwarded = errors.New("forwardauth: a header about the original request is repeated, holds a list, or contradicts another: the proxy must overwrite them")
	errPath      = errors.New("forwardauth: the path means different things to different programs")
	errMethod    = errors.New("forwardauth: the method is not let through")
	errAudience  = errors.New("forwardauth: an identity token needs an origin that is listed, from a trusted proxy")
)

var problems = []struct {
	err    error
	code   string
	status int
	detail string
}{
	{errForwarded, "forwarded", 403, "The proxy's headers about the request can't be understood."},
	{errPath, "ambiguous-path", 403, "The address can be read in more than one way."},
	{errMethod, "method", 403, "Requests with this method are not let through."},
	{errAudience, "unlisted-origin", 403, "The site is not one of those that may be told who asks."},
}

// problemFor is what the proxy is told. It may pass that on to the client.
// nginx knows 401 and 403 and takes all else for an error of the server, so what
// the client has done is one of these two.
func problemFor(err error) counterfoil.Problem {
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return newProblem(p.code, p.status, p.detail)
		}
	}
	p := counterfoil.ProblemFor(err)
	switch {
	case errors.Is(err, counterfoil.ErrNoSession):
		return newProblem("no-session", http.StatusUnauthorized, "This request needs a session. Log in first.")
	case p.Status == http.StatusBadRequest:
		p.Status, p.Title = http.StatusForbidden, http.StatusText(http.StatusForbidden)
	}
	return p
}

func newProblem(code string, status int, detail string) counterfoil.Problem {
	return counterfoil.Problem{Type: "urn:counterfoil:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail}
}
