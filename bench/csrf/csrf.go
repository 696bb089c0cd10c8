// Package csrf measures what protection against forged requests costs.
//
// Every library gets the same requests: a GET of a page without a form, a GET
// of a page with one, and a POST whose token is in the X-CSRF-Token header, with
// the headers Origin, Referer and Sec-Fetch-Site that a browser sends.
package csrf

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"
	gorilla "github.com/gorilla/csrf"
	"github.com/justinas/nosurf"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/internal/web"
)

// An app is what an adapter makes of a library: two pages behind its
// protection.
type app struct {
	name  string
	kind  report.Kind
	quiet http.Handler // asks for no token, and takes the POST
	form  http.Handler // asks for one and writes it; nil: the library knows none

	session bool // somebody else's session is found, too
}

// page asks for a token and writes it.
func page(token func(*http.Request) (string, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := token(r)
		if err != nil || text == "" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		io.WriteString(w, text)
	})
}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// apps are the libraries.
func apps(tb testing.TB) []app {
	return []app{newBare(), newCounterfoil(tb), newGorilla(), newNosurf(), newBoth(), newStandard()}
}

func newBare() app { return app{name: "bare handler", kind: report.Limit, quiet: nothing} }

// newCounterfoil mounts ours, with its defaults. Its token belongs to the
// session, so each request has one, here an anonymous one in memory.
func newCounterfoil(tb testing.TB) app {
	m, err := counterfoil.New(counterfoil.Config{PublicURL: web.Origin, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	return app{
		name:  ours,
		kind:  report.Ours,
		quiet: m.Handler(nothing),
		form:  m.Handler(page(func(r *http.Request) (string, error) { return counterfoil.CSRFToken(r.Context()) })),
	}
}

// newGorilla mounts gorilla/csrf as its README shows.
func newGorilla() app {
	key := make([]byte, 32)
	rand.Read(key)
	protect := gorilla.Protect(key)
	return app{
		name:  "gorilla/csrf",
		kind:  report.Peer,
		quiet: protect(nothing),
		form:  protect(page(func(r *http.Request) (string, error) { return gorilla.Token(r), nil })),
	}
}

// newNosurf mounts nosurf as its README shows.
func newNosurf() app {
	return app{
		name:  theirs,
		kind:  report.Peer,
		quiet: nosurf.New(nothing),
		form:  nosurf.New(page(func(r *http.Request) (string, error) { return nosurf.Token(r), nil })),
	}
}

// newBoth mounts nosurf within scs, in memory: what an application has that takes
// sessions and CSRF tokens from two libraries.
func newBoth() app {
	sessions, a := scs.New(), newNosurf()
	load := func(next http.Handler) http.Handler {
		return sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if sessions.GetString(r.Context(), "user") == "" {
				sessions.Put(r.Context(), "user", "u_0198f2c6a7d14c3e")
			}
			next.ServeHTTP(w, r)
		}))
	}
	return app{name: "nosurf within scs", kind: report.Peer, quiet: load(a.quiet), form: load(a.form), session: true}
}

// newStandard mounts the standard library's protection, which knows no token:
// it goes by Sec-Fetch-Site and Origin alone.
func newStandard() app {
	return app{name: "http.CrossOriginProtection", kind: report.Peer, quiet: http.NewCrossOriginProtection().Handler(nothing)}
}

// A browser has an application's cookies and token.
type browser struct {
	app     app
	cookies map[string]string
	token   string
}

// newBrowser opens the page with the form.
func newBrowser(tb testing.TB, a app) *browser {
	tb.Helper()
	b := &browser{app: a, cookies: map[string]string{}}
	if a.form == nil {
		return b
	}
	w := httptest.NewRecorder()
	a.form.ServeHTTP(w, web.Request(http.MethodGet, "/", nil))
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
	}
	b.token = w.Body.String()
	if w.Code != http.StatusOK || len(b.cookies) == 0 || b.token == "" {
		tb.Fatalf("%s: the page answers %d %q and sets %d cookies", a.name, w.Code, b.token, len(b.cookies))
	}
	return b
}

func (b *browser) get() *http.Request { return web.Request(http.MethodGet, "/", b.cookies) }

func (b *browser) post() *http.Request { return b.withHeaders(http.MethodPost) }

// withHeaders is a request with all headers that the libraries look at.
func (b *browser) withHeaders(method string) *http.Request {
	r := web.Request(method, "/", b.cookies)
	for name, value := range b.evidence() {
		r.Header.Set(name, value)
	}
	return r
}

// withOtherHeaders is a GET with as many headers, and as long ones, at which
// nobody looks.
func (b *browser) withOtherHeaders() *http.Request {
	r := b.get()
	for name, value := range b.evidence() {
		r.Header.Set("Z"+name[1:], value)
	}
	return r
}

// evidence are the headers that the libraries look at.
func (b *browser) evidence() map[string]string {
	headers := map[string]string{"Origin": web.Origin, "Referer": web.Origin + "/", "Sec-Fetch-Site": "same-origin"}
	if b.token != "" {
		headers["X-CSRF-Token"] = b.token
	}
	return headers
}
