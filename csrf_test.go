package counterfoil_test

import (
	"bytes"
	"context"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// Every case is an attack on a logged-in user, or a form of his own.
func TestCSRF(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	user := s.visitor()
	beforeLogin := user.csrf
	user.post("/login", "user", "john")
	user.open()
	other := s.user("mallory")
	gone := s.user("john")
	afterLogout := gone.csrf
	gone.post("/logout")

	form := func(token string) func(*http.Request) {
		return func(r *http.Request) { *r = *user.request("POST", "/nothing", counterfoil.CSRFFieldName+"="+token) }
	}
	for _, c := range []struct {
		why  string
		edit func(*http.Request)
		want int
	}{
		{"3.5.1: the session's own token is taken", form(user.csrf), 200},
		{"3.5.1: a missing token is refused", form(""), 403},
		{"3.5.1: an empty body is refused", func(r *http.Request) {}, 403},
		{"3.5.1: another session's token is refused", form(other.csrf), 403},
		{"3.5.1: a token from before the login is refused", form(beforeLogin), 403},
		{"3.5.1: a token from after a logout is refused", form(afterLogout), 403},
		{"3.5.1: a token that is one character short is refused", form(user.csrf[1:]), 403},
		{"3.5.1: a changed token is refused", form(flip(user.csrf)), 403},
		{"3.5.1: two tokens are refused, even if one is right", form(other.csrf + "&" + counterfoil.CSRFFieldName + "=" + user.csrf), 403},
		{"3.5.1: in either order", form(user.csrf + "&" + counterfoil.CSRFFieldName + "=" + other.csrf), 403},
		{"3.5.1: a token in a cookie only is refused", func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: counterfoil.CSRFFieldName, Value: user.csrf})
		}, 403},
		{"3.5.1: a token in the URL only is refused", func(r *http.Request) {
			r.URL.RawQuery = counterfoil.CSRFFieldName + "=" + user.csrf
		}, 403},
		{"3.5.1: the token in the header is taken", func(r *http.Request) { r.Header.Set("X-CSRF-Token", user.csrf) }, 200},
		{"3.5.1: two headers are refused", func(r *http.Request) {
			r.Header["X-Csrf-Token"] = []string{user.csrf, user.csrf}
		}, 403},
		{"3.5.1: _method does not make a POST safe", func(r *http.Request) {
			form("")(r)
			r.URL.RawQuery = "_method=GET"
			r.Header.Set("X-HTTP-Method-Override", "GET")
		}, 403},
		{"3.5.2: text/plain holds no token", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Content-Type", "text/plain")
		}, 403},
		{"3.5.2: no content type holds no token", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Del("Content-Type")
		}, 403},
		{"3.5.3: PUT is unsafe", func(r *http.Request) { r.Method = "PUT" }, 403},
		{"3.5.3: DELETE is unsafe", func(r *http.Request) { r.Method = "DELETE" }, 403},
		{"3.5.3: a method of one's own is unsafe", func(r *http.Request) { r.Method = "FROB" }, 403},
		{"3.5.3: TRACE is unsafe", func(r *http.Request) { r.Method = "TRACE" }, 403},
		{"3.5.3: HEAD is safe", func(r *http.Request) { r.Method = "HEAD" }, 200},
		{"3.5.3: OPTIONS is safe", func(r *http.Request) { r.Method = "OPTIONS" }, 200},
		{"req 16: none: the user himself sent it again", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Sec-Fetch-Site", "none")
		}, 200},
		{"req 16: cross-site by Fetch Metadata is refused", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}, 403},
		{"req 16: a sibling subdomain is refused", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Sec-Fetch-Site", "same-site")
		}, 403},
		{"req 16: a Fetch Metadata value that nobody knows is refused", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Sec-Fetch-Site", "elsewhere")
		}, 403},
		{"req 16: without Fetch Metadata, Origin decides", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example")
		}, 403},
		{"D11: the scheme counts", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://localhost:8080")
		}, 403},
		{"D11: the port counts", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Origin", "http://localhost:8081")
		}, 403},
		{"D11: a suffix of our origin is not ours", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Origin", "http://localhost:8080.evil.example")
		}, 403},
		{"D11: two Origin headers are refused", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header["Origin"] = []string{publicURL, publicURL}
		}, 403},
		{"D11: a null origin is refused", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "null")
		}, 403},
		{"a null origin of our own no-referrer page is taken, since Fetch Metadata vouches for it", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Set("Origin", "null")
		}, 200},
		{"req 16: without either header the token decides", func(r *http.Request) {
			form(user.csrf)(r)
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Del("Origin")
		}, 200},
		{"D11: on a cookie with no signal at all it is refused", func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Del("Origin")
		}, 403},
		{"bad input: a form that can't be parsed", form("%zz"), 400},
		{"bad input: a content type that can't be parsed", func(r *http.Request) {
			r.Header.Set("Content-Type", "a/b; c")
		}, 400},
		{"bad input: a form over the limit", form(strings.Repeat("a", 2<<20)), 413},
		{"bad input: multipart without parts", func(r *http.Request) {
			form("")(r)
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		}, 400},
		{"bad input: a request without a body, as only a test makes it", func(r *http.Request) {
			form("")(r)
			r.Body = nil
		}, 403},
		{"a multipart form holds a token, too", func(r *http.Request) { *r = *multipartForm(user) }, 200},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := user.request("POST", "/nothing", "")
			c.edit(r)
			wantStatus(t, c.why, user.copy().do(r), c.want)
		})
	}
	if user.me().User != "john" {
		t.Error("a refused request changed the session")
	}
}

func multipartForm(b *browser) *http.Request {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	w.WriteField(counterfoil.CSRFFieldName, b.csrf)
	w.Close()
	r := b.request("POST", "/nothing", buf.String())
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

// flip changes one character in the middle of a token.
func flip(token string) string {
	b := []byte(token)
	if b[20] == 'A' {
		b[20] = 'B'
	} else {
		b[20] = 'A'
	}
	return string(b)
}

// D11: without PublicURL we don't know our scheme behind a proxy. The host that
// the request names must be the origin's, unless the browser vouches for it.
func TestOriginWithoutPublicURL(t *testing.T) {
	m, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := &site{Manager: m, t: t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /form", s.form)
	mux.HandleFunc("POST /post", func(http.ResponseWriter, *http.Request) {})
	s.handler = m.Handler(mux)
	for _, c := range []struct {
		why                  string
		url, origin, fetches string
		want                 int
	}{
		{"the host's own origin is taken", "https://app.example", "https://app.example", "", 200},
		{"another scheme is another origin", "https://app.example", "http://app.example", "", 403},
		{"another host is another origin", "https://app.example", "https://evil.example", "", 403},
		{"behind a proxy, Fetch Metadata vouches for the origin", "http://app.example", "https://app.example", "same-origin", 200},
		{"behind a proxy, without Fetch Metadata, we can't tell", "http://app.example", "https://app.example", "", 403},
		{"a foreign page can't get past Fetch Metadata", "http://app.example", "https://evil.example", "cross-site", 403},
	} {
		t.Run(c.why, func(t *testing.T) {
			b := s.visitor()
			r := httptest.NewRequest("POST", c.url+"/post", strings.NewReader(counterfoil.CSRFFieldName+"="+b.csrf))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", c.origin)
			if c.fetches != "" {
				r.Header.Set("Sec-Fetch-Site", c.fetches)
			}
			for name, value := range b.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			wantStatus(t, c.why, b.do(r), c.want)
		})
	}
}

// 4.4.2: a WebSocket rides on the cookie, so its origin is checked.
func TestUpgradeChecksOrigin(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	upgrade := func(b *browser, origin string) *http.Response {
		r := b.request("GET", "/nothing", "")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set("Origin", origin)
		return b.do(r)
	}
	wantStatus(t, "our own page", upgrade(b, publicURL), 200)
	wantStatus(t, "a foreign page", upgrade(b, "https://evil.example"), 403)
	wantStatus(t, "a sibling", upgrade(b, "http://evil.localhost:8080"), 403)
	wantStatus(t, "a foreign page without our cookie has nothing to ride on", upgrade(s.browser(), "https://evil.example"), 200)
}

// Config.Origins: "further origins that posts may come from. Their posts need
// the CSRF token like all others."
func TestConfiguredOrigins(t *testing.T) {
	const listed, unlisted = "https://www.example.com", "https://evil.example.com"
	s := newSite(t, counterfoil.Config{Origins: []string{listed}})
	b := s.visitor()
	for _, c := range []struct {
		why             string
		origin, fetches string
		token           string
		want            int
	}{
		{"a listed origin that is a sibling is same-site to the browser", listed, "same-site", b.csrf, 200},
		{"a listed origin elsewhere is cross-site", listed, "cross-site", b.csrf, 200},
		{"an old browser sends no Fetch Metadata", listed, "", b.csrf, 200},
		{"a listed origin needs the token, too", listed, "same-site", "", 403},
		{"and from elsewhere", listed, "cross-site", "", 403},
		{"and the right one", listed, "cross-site", flip(b.csrf), 403},
		{"another sibling is not listed", unlisted, "same-site", b.csrf, 403},
		{"another site is not listed", unlisted, "cross-site", b.csrf, 403},
		{"our own origin and cross-site contradict each other", publicURL, "cross-site", b.csrf, 403},
		{"our own origin and same-site, too", publicURL, "same-site", b.csrf, 403},
		{"no origin vouches for a cross-site request", "", "cross-site", b.csrf, 403},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := b.request("POST", "/nothing", counterfoil.CSRFFieldName+"="+c.token)
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.fetches != "" {
				r.Header.Set("Sec-Fetch-Site", c.fetches)
			}
			wantStatus(t, c.why, b.copy().do(r), c.want)
		})
	}
	both := newSite(t, counterfoil.Config{Origins: []string{publicURL}}).visitor()
	r := both.request("POST", "/nothing", counterfoil.CSRFFieldName+"="+both.csrf)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	wantStatus(t, "our own origin, listed as well, is none that may be cross-site", both.do(r), 403)

	r = b.request("POST", "/nothing", counterfoil.CSRFFieldName+"="+b.csrf)
	r.Header["Origin"] = []string{listed, unlisted}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	wantStatus(t, "a listed origin beside another", b.do(r), 403)
}

// Config.PublicURL: "Empty: posts may come from the host that the request names",
// and Origins are further ones.
func TestConfiguredOriginsWithoutPublicURL(t *testing.T) {
	const listed = "https://www.example.com"
	m, err := counterfoil.New(counterfoil.Config{Origins: []string{listed}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := &site{Manager: m, t: t}
	s.handler = m.Handler(http.HandlerFunc(s.form))
	b := s.visitor()
	for _, c := range []struct {
		why             string
		origin, fetches string
		want            int
	}{
		{"our own page", "http://localhost:8080", "same-origin", 200},
		{"our own page, in an old browser", "http://localhost:8080", "", 200},
		{"our own page, behind a proxy that takes TLS off", "https://localhost:8080", "same-origin", 200},
		{"a listed one", listed, "cross-site", 200},
		{"a foreign one", "https://evil.example.com", "cross-site", 403},
		{"a foreign one, in an old browser", "https://evil.example.com", "", 403},
	} {
		r := b.request("POST", "/nothing", counterfoil.CSRFFieldName+"="+b.csrf)
		r.Host = "localhost:8080"
		r.Header.Set("Origin", c.origin)
		r.Header.Set("Sec-Fetch-Site", c.fetches)
		wantStatus(t, c.why, b.copy().do(r), c.want)
	}
}

// The visitor is told which it was: no cookie at all, or one that is dead.
func TestRefusalsAreToldApart(t *testing.T) {
	var refused error
	s := newSite(t, counterfoil.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
		refused = err
		counterfoil.WriteError(w, r, err)
	}})
	dead := s.user("john")
	dead.copy().post("/logout")
	damaged := s.user("john")
	damaged.cookies[cookieName] = "x"
	for _, c := range []struct {
		why  string
		b    *browser
		want error
	}{
		{"no cookie", s.browser(), counterfoil.ErrNoSession},
		{"the cookie of a session that has ended", dead, counterfoil.ErrUnknownSession},
		{"a cookie that can't be read", damaged, counterfoil.ErrUnknownSession},
		{"a live session without its token", func() *browser { b := s.visitor(); b.csrf = ""; return b }(), counterfoil.ErrCSRF},
	} {
		wantStatus(t, c.why, c.b.post("/nothing"), 403)
		if !errors.Is(refused, c.want) {
			t.Errorf("%s: error %v, want %v", c.why, refused, c.want)
		}
	}
}

// A request with a bearer token has no CSRF token, and begins no session.
func TestNoCSRFTokenOnABearerToken(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	res := s.withToken(s.client("john").Token, func(ctx context.Context) {
		if token, err := counterfoil.CSRFToken(ctx); token != "" || !errors.Is(err, counterfoil.ErrNoSession) {
			t.Errorf("token %q, error %v", token, err)
		}
	})
	if len(res.Cookies()) != 0 {
		t.Errorf("cookies %v", res.Cookies())
	}
}

// net/http removes the temporary files of the request that it made. The handler
// gets a copy of it, whose files must go as well.
func TestUploadsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := newSite(t, counterfoil.Config{MaxFormBytes: 1 << 10})
	b := s.user("john")
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	file, _ := w.CreateFormFile("file", "big")
	file.Write(make([]byte, 64<<10))
	w.Close()
	during := 0
	s.mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		during = countFiles(t, dir)
	})
	r := b.request("POST", "/upload", buf.String())
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("X-CSRF-Token", b.csrf)
	wantStatus(t, "an upload", b.do(r), 200)
	if after := countFiles(t, dir); during != 1 || after != 0 {
		t.Errorf("%d temporary files during the request, want 1; %d afterwards, want 0", during, after)
	}
}

func countFiles(t *testing.T, dir string) int {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// The token in the page is masked, so that compression leaks nothing: each page
// has another spelling, and all are good.
func TestCSRFTokenIsMasked(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.visitor()
	seen := map[string]bool{}
	for range 20 {
		b.open()
		if seen[b.csrf] {
			t.Fatal("the same masked token twice")
		}
		seen[b.csrf] = true
	}
	for token := range seen {
		b.csrf = token
		wantStatus(t, "each spelling is good", b.post("/nothing"), 200)
	}
}
