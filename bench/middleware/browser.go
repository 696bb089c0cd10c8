package middleware

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/counterfoil/counterfoil/bench/internal/web"
)

// A browser is logged in to an application and keeps its cookies.
type browser struct {
	app     app
	cookies map[string]string
}

// newBrowser logs in.
func newBrowser(tb testing.TB, a app) *browser {
	tb.Helper()
	b := &browser{app: a, cookies: map[string]string{}}
	if a.routes[form] != nil {
		b.visit(tb, form)
	}
	if status, body := b.visit(tb, login); status != http.StatusOK || len(b.cookies) == 0 {
		tb.Fatalf("%s: the login answers %d %q and sets %d cookies", a.name, status, body, len(b.cookies))
	}
	return b
}

func (b *browser) request(path string) *http.Request {
	return web.Request(http.MethodGet, path, b.cookies)
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
// again.
func (b *browser) sender(path string) func() error {
	if b.app.fast != nil {
		return b.app.fast.sender(b.request(path))
	}
	return web.Sender(b.app.routes[path], b.request(path))
}

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
