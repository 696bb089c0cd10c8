// Package middleware measures what a library's sessions add to a request: its
// middleware and its calls in the handler, without a socket.
//
// Every library gets an application of the same four routes, written as its
// documents show, and the same requests: see site.go. The session holds the
// same in each: the user's id, the time of the login and a note of 200 bytes.
package middleware

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// The contents of the session.
const user = "u_0198f2c6a7d14c3e"

var (
	loginTime = time.Unix(1_760_000_000, 0)
	notes     = [2]string{strings.Repeat("a", noteSize), strings.Repeat("b", noteSize)}
)

const noteSize = 200

// The routes of every application.
const (
	form     = "/form"     // the page before the login; ours only, which wants one
	login    = "/login"    // begins the session: user, time, first note
	identity = "/identity" // who is it? 401 if nobody
	read     = "/read"     // the note, too
	change   = "/change"   // sets the other note: stores may skip what changes nothing
	show     = "/show"     // writes what the session holds, for tests
)

// routes are an application: handlers by path, each with the middleware around
// it.
type routes map[string]http.Handler

// An app is what an adapter makes of a library.
type app struct {
	name   string
	kind   report.Kind
	routes routes
	fast   *fastApp // instead of routes, for fasthttp

	database      string // where the sessions are, if that is compared
	keepsOnServer bool   // false: the session is in the cookie
}

// nextNote alternates between the notes.
type nextNote struct{ n atomic.Uint64 }

func (c *nextNote) next() string { return notes[c.n.Add(1)%2] }

// wrap puts the middleware around each of the handlers.
func wrap(middleware func(http.Handler) http.Handler, handlers map[string]http.HandlerFunc) routes {
	r := routes{}
	for path, h := range handlers {
		r[path] = middleware(h)
	}
	return r
}

// The answer of /show: the contents, and whether there is a time of login. Ours
// is when it was, the others' what they were given.
func shown(user string, at time.Time, note string) string {
	return fmt.Sprint(user, " ", !at.IsZero(), " ", note)
}
