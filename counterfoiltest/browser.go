// Package counterfoiltest helps to test handlers that use sessions.
//
// A [Browser] talks to a handler without a network. It keeps the site's cookies
// and sends the CSRF token of the last page back, as a visitor's browser does:
//
//	b := counterfoiltest.NewBrowser(t, sessions.Handler(mux))
//	b.LogIn(sessions, counterfoil.Login{User: "john"})
//	res := b.Post("/cart", url.Values{"item": {"pen"}})
package counterfoiltest

import (
	"bytes"
	"context"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// A Browser is a visitor of a handler. It is for one goroutine at a time.
type Browser struct {
	t       testing.TB
	handler http.Handler
	cookies map[string]string
	csrf    string
}

// NewBrowser returns a browser without cookies. The handler is the site: your
// mux within Manager.Handler.
func NewBrowser(t testing.TB, handler http.Handler) *Browser {
	return &Browser{t: t, handler: handler, cookies: map[string]string{}}
}

// Get requests a page. If it holds a form with a CSRF token, later posts carry
// that token.
func (b *Browser) Get(path string) *http.Response {
	b.t.Helper()
	return b.Do(httptest.NewRequest(http.MethodGet, path, nil))
}

// Post sends a form, with the CSRF token of the last page that had one, unless
// the form has its own.
func (b *Browser) Post(path string, form url.Values) *http.Response {
	b.t.Helper()
	sent := url.Values{counterfoil.CSRFFieldName: {b.csrf}}
	for name, values := range form {
		sent[name] = values
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(sent.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.Do(r)
}

// Do sends any request with the browser's cookies, and keeps the answer's.
// Redirects are not followed. The answer's body may be read as usual.
func (b *Browser) Do(r *http.Request) *http.Response {
	b.t.Helper()
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	res := rec.Result()
	b.keepCookies(res)
	b.keepToken(res)
	return res
}

// LogIn gives the browser a session of the user, without the site's login form,
// and a CSRF token of it.
func (b *Browser) LogIn(m *counterfoil.Manager, l counterfoil.Login) {
	b.t.Helper()
	l.InsecureAllowGET = true // nothing but this test asks for it
	b.within(m, func(ctx context.Context) error {
		_, err := counterfoil.CSRFToken(ctx) // begins the anonymous session
		return err
	})
	b.within(m, func(ctx context.Context) (err error) {
		if err = m.Login(ctx, l); err == nil {
			b.csrf, err = counterfoil.CSRFToken(ctx)
		}
		return err
	})
}

// Session returns the session that the browser's cookie names; if there is none,
// the zero Session.
func (b *Browser) Session(m *counterfoil.Manager) (session *counterfoil.Session) {
	b.t.Helper()
	b.within(m, func(ctx context.Context) error {
		session = counterfoil.FromContext(ctx)
		return nil
	})
	return session
}

// within runs do in a request of the browser.
func (b *Browser) within(m *counterfoil.Manager, do func(context.Context) error) {
	b.t.Helper()
	inner := &Browser{t: b.t, cookies: b.cookies}
	inner.handler = m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := do(r.Context()); err != nil {
			b.t.Fatal(err)
		}
	}))
	if res := inner.Get("/"); res.StatusCode != http.StatusOK {
		b.t.Fatalf("the sessions answered with %s", res.Status)
	}
}

func (b *Browser) keepCookies(res *http.Response) {
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

var (
	input = regexp.MustCompile(`(?i)<input\s[^>]*>`)
	named = regexp.MustCompile(`(?i)\sname="` + counterfoil.CSRFFieldName + `"`)
	value = regexp.MustCompile(`(?i)\svalue="([^"]*)"`)
)

// keepToken remembers the CSRF token of a page's form.
func (b *Browser) keepToken(res *http.Response) {
	b.t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	for _, tag := range input.FindAllString(string(body), -1) {
		if m := value.FindStringSubmatch(tag); m != nil && named.MatchString(tag) {
			b.csrf = html.UnescapeString(m[1])
			return
		}
	}
}
