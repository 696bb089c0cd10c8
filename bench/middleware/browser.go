package middleware

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/valyala/fasthttp"
)

const origin = "https://bench.example.com"

// A browser is logged in to an application and keeps its cookies.
type browser struct {
	app     app
	cookies map[string]string
}

// newBrowser logs in.
func newBrowser(tb testing.TB, a app) *browser {
	tb.Helper()
	b := &browser{app: a, cookies: map[string]string{}}
	if status, body := b.visit(tb, login); status != http.StatusOK || len(b.cookies) == 0 {
		tb.Fatalf("%s: the login answers %d %q and sets %d cookies", a.name, status, body, len(b.cookies))
	}
	return b
}

// request is what every library gets. A browser sends more headers; these are
// those that somebody reads.
func (b *browser) request(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, origin+path, nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// visit sends a request and keeps the answer's cookies.
func (b *browser) visit(tb testing.TB, path string) (status int, body string) {
	tb.Helper()
	var res *http.Response
	if b.app.fast != nil {
		res = b.app.fast.visit(tb, b.request(path))
	} else {
		w := httptest.NewRecorder()
		b.app.routes[path].ServeHTTP(w, b.request(path))
		res = w.Result()
	}
	for _, c := range res.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("%s: %s: %v", b.app.name, path, err)
	}
	return res.StatusCode, string(text)
}

// sender returns a function that sends the same request to a route again and
// again. It costs next to nothing itself: the ResponseWriter remembers the
// status only. It returns an error unless that is 200.
func (b *browser) sender(path string) func() error {
	if b.app.fast != nil {
		return b.app.fast.sender(b.request(path))
	}
	handler, template := b.app.routes[path], b.request(path)
	w := &writer{header: http.Header{}}
	var r http.Request
	return func() error {
		// A new request each time: gorilla/sessions keeps what it has decoded in
		// the request that it is given.
		r = *template
		clear(w.header)
		w.status = http.StatusOK
		handler.ServeHTTP(w, &r)
		if w.status != http.StatusOK {
			return fmt.Errorf("%s answers %d", path, w.status)
		}
		return nil
	}
}

// writer is a ResponseWriter that throws all but the status away.
type writer struct {
	header http.Header
	status int
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(status int)      { w.status = status }

// A fastApp is an application on fasthttp, which has its own requests.
type fastApp struct {
	handler fasthttp.RequestHandler
	test    func(*http.Request) (*http.Response, error)
}

func (f *fastApp) visit(tb testing.TB, r *http.Request) *http.Response {
	r.RequestURI = ""
	res, err := f.test(r)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

// sender sends what is the same request to fasthttp.
func (f *fastApp) sender(r *http.Request) func() error {
	var template fasthttp.Request
	template.Header.SetMethod(r.Method)
	template.SetRequestURI(r.URL.String())
	for name, values := range r.Header {
		template.Header.Set(name, values[0])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&template, nil, nil)
	return func() error {
		// What fasthttp's server does between requests of a connection.
		ctx.Response.Reset()
		ctx.ResetUserValues()
		f.handler(ctx)
		if status := ctx.Response.StatusCode(); status != http.StatusOK {
			return fmt.Errorf("%s answers %d", r.URL.Path, status)
		}
		return nil
	}
}
