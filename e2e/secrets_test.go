package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// Where in an exchange a secret may stand.
const (
	inURL            = "the URL"
	inReferer        = "Referer"
	inRequestHeader  = "a request header"
	inCookie         = "Cookie"
	inAuthorization  = "Authorization"
	inCSRFHeader     = "X-CSRF-Token"
	inRequestBody    = "the request's body"
	inSetCookie      = "Set-Cookie"
	inAnswerHeader   = "a header of the answer"
	inAnswerBody     = "the answer's body"
	inLocationHeader = "Location"
)

// belongs says where each kind of secret may stand (req 5: 3.3.4, 14.2.1; req
// 15: 3.5.1): in one place, there and back, and never in a URL.
var belongs = map[string][]string{
	"a password":       {inRequestBody},
	"a cookie":         {inSetCookie, inCookie},
	"a CSRF token":     {inAnswerBody, inRequestBody, inCSRFHeader},
	"an access token":  {inAnswerBody, inAuthorization},
	"a refresh token":  {inAnswerBody, inRequestBody},
	"a cookie's bytes": nil,
}

// TestSecretsStayWhereTheyBelong records a visit by browser and one by API, and
// looks for every secret in all that was sent, logged and stored.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	site := newSite(t, "john")
	var r recorder
	wire := httptest.NewServer(&r)
	t.Cleanup(wire.Close)
	base := strings.Replace(wire.URL, "127.0.0.1", "localhost", 1)
	p := site.serve("--public-url=" + base)
	r.next = proxyTo(t, p.url)

	visitByAPI(t, site, base)
	visitByBrowser(t, base)
	stored, exchanges := site.databaseBytes(), r.all()
	p.stop()

	found := collect(exchanges)
	found.add("a password", password, another)
	for _, kind := range []string{"a password", "a cookie", "a CSRF token", "an access token", "a refresh token", "a cookie's bytes"} {
		if n := len(found.of(kind)); n < 2 {
			t.Errorf("%d times %s in the whole visit: too few for the test to mean something", n, kind)
		}
	}
	for _, x := range exchanges {
		for place, text := range x.places {
			for _, kind := range found.kindsIn(text) {
				if !slices.Contains(belongs[kind], place) {
					t.Errorf("%s: %s stands in %s", x.name, kind, place)
				}
			}
		}
	}
	for what, text := range map[string]string{"the log": p.log.String(), "the database": stored} {
		for _, kind := range found.kindsIn(text) {
			t.Errorf("req 5, 7: %s holds %s", what, kind)
		}
	}
}

func visitByAPI(t *testing.T, site *site, base string) {
	t.Helper()
	if _, err := loginAPI(base, "john", another); err == nil {
		t.Error("a wrong password lets in")
	}
	for _, login := range []func(base, user, password string) (*client, error){loginAPI, loginForm} {
		c, err := login(base, "john", password)
		check(t, err)
		if in, err := letsIn(base, c); err != nil || !in {
			t.Errorf("after the login: let in: %v, %v", in, err)
		}
		site.must(site.command("session", "list"))
		for range 2 { // the second is refused, and logged
			out := request{method: "DELETE", path: "/v1/session", bearer: c.access}
			if c.cookie != "" {
				out = request{method: "DELETE", path: "/v1/session", cookie: c.cookie, csrf: c.csrf}
			}
			_, err = out.send(base)
			check(t, err)
		}
		if in, err := letsIn(base, c); err != nil || in {
			t.Errorf("after the logout: let in: %v, %v", in, err)
		}
	}
}

func visitByBrowser(t *testing.T, base string) {
	t.Helper()
	b := newBrowser(t)
	b.open(base + "/login?next=%2Faccount")
	b.logIn("john", another)
	b.logIn("john", password)
	b.do(
		chromedp.SendKeys(chromedp.ID("old_password"), password),
		chromedp.SendKeys(chromedp.ID("new_password"), another),
	)
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/account/password"] button`)))
	b.mustShow("/account", "Your password is changed")
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)))
	b.mustShow("/login", "Log in")
}

// A recorder keeps what goes through it.
type recorder struct {
	next http.Handler
	mu   sync.Mutex
	kept []exchange
}

// An exchange is a request and its answer, place by place.
type exchange struct {
	name    string
	places  map[string]string
	cookies []*http.Cookie // that the answer sets
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	asked := r.Header.Clone()
	answer := httptest.NewRecorder()
	rec.next.ServeHTTP(answer, r)
	got := answer.Result()
	rec.keep(exchange{
		name:    r.Method + " " + r.URL.Path,
		cookies: got.Cookies(),
		places: map[string]string{
			inURL:            r.RequestURI,
			inReferer:        take(asked, "Referer"),
			inCookie:         take(asked, "Cookie"),
			inAuthorization:  take(asked, "Authorization"),
			inCSRFHeader:     take(asked, "X-CSRF-Token"),
			inRequestHeader:  rest(asked),
			inRequestBody:    string(body),
			inSetCookie:      take(got.Header.Clone(), "Set-Cookie"),
			inLocationHeader: take(got.Header.Clone(), "Location"),
			inAnswerHeader:   rest(without(got.Header, "Set-Cookie", "Location")),
			inAnswerBody:     answer.Body.String(),
		},
	})
	for name, values := range got.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // a client that has gone has nothing to say
}

func (rec *recorder) keep(x exchange) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.kept = append(rec.kept, x)
}

func (rec *recorder) all() []exchange {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.kept)
}

// take returns the values of a header and removes it.
func take(h http.Header, name string) string {
	values := strings.Join(h.Values(name), "\n")
	h.Del(name)
	return values
}

func without(h http.Header, names ...string) http.Header {
	h = h.Clone()
	for _, name := range names {
		h.Del(name)
	}
	return h
}

func rest(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b) // a strings.Builder takes everything
	return b.String()
}

// collect finds the secrets that the server gave out.
func collect(exchanges []exchange) *secrets {
	var found secrets
	for _, x := range exchanges {
		for _, c := range x.cookies {
			found.add("a cookie", c.Value)
			if raw, err := base64.RawURLEncoding.DecodeString(c.Value); err == nil && len(raw) > 16 {
				found.add("a cookie's bytes", string(raw[16:])) // behind the session's id, which is no secret
			}
		}
		body := x.places[inAnswerBody]
		for _, m := range csrfField.FindAllStringSubmatch(body, -1) {
			found.add("a CSRF token", m[1])
		}
		var fields map[string]any
		if json.Unmarshal([]byte(body), &fields) != nil {
			continue // a page
		}
		for field, kind := range map[string]string{
			"access_token": "an access token", "refresh_token": "a refresh token", "csrf_token": "a CSRF token",
		} {
			if s, ok := fields[field].(string); ok {
				found.add(kind, s)
			}
		}
	}
	return &found
}
