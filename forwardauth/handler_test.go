package forwardauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/forwardauth"
)

const (
	authURL = "https://auth.example.com"
	appURL  = "https://app.example.com"
	proxy   = "127.0.0.1:4711" // the one that is trusted
	cookie  = counterfoil.SecureCookieName
)

// A site is a manager, a front door, and John, who is logged in twice: by cookie
// and by token.
type site struct {
	t              testing.TB
	sessions       *counterfoil.Manager
	front          *forwardauth.Handler
	cookie, bearer string
	session        string // the cookie's
}

func newSite(t testing.TB, edit ...func(*forwardauth.Config)) *site {
	t.Helper()
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: authURL})
	check(t, err)
	t.Cleanup(func() { check(t, sessions.Close()) })
	s := &site{t: t, sessions: sessions}
	config := forwardauth.Config{
		Sessions:       sessions,
		LoginURL:       authURL + "/login",
		Origins:        []string{appURL},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	}
	for _, e := range edit {
		e(&config)
	}
	s.front, err = forwardauth.New(config)
	check(t, err)
	s.cookie, s.session = s.logIn("john", "John Smith")
	grant, err := sessions.LoginClient(t.Context(), counterfoil.Login{User: "john", Name: "John Smith"}, counterfoil.Client{})
	check(t, err)
	s.bearer = grant.AccessToken.Token
	return s
}

// visit returns the cookie that a handler makes, for who comes with a cookie.
func (s *site) visit(with string, handler func(r *http.Request)) string {
	r := httptest.NewRequest("GET", authURL, nil)
	r.Header.Set("Cookie", cookie+"="+with)
	w := httptest.NewRecorder()
	s.sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { handler(r) })).ServeHTTP(w, r)
	return w.Result().Cookies()[0].Value
}

// visitor returns the cookie of a session in which nobody is logged in.
func (s *site) visitor() string {
	s.t.Helper()
	return s.visit("", func(r *http.Request) {
		_, err := counterfoil.CSRFToken(r.Context())
		check(s.t, err)
	})
}

func (s *site) logIn(user, name string) (value, session string) {
	s.t.Helper()
	value = s.visit(s.visitor(), func(r *http.Request) {
		check(s.t, s.sessions.Login(r.Context(), counterfoil.Login{User: user, Name: name, InsecureAllowGET: true}))
		session = counterfoil.FromContext(r.Context()).ID()
	})
	return value, session
}

// ask puts a question as a proxy does. Headers are name and value, one after the
// other; the same name may come again.
func (s *site) ask(target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", target, nil)
	r.RemoteAddr = proxy
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return s.answer(r)
}

func (s *site) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.front.ServeHTTP(w, r)
	if w.Code == http.StatusOK && w.Header().Get("X-Auth-User") == "" {
		s.t.Error("a 200 without X-Auth-User: a proxy would let the client's through")
	}
	if w.Code != http.StatusOK && w.Header().Get("X-Auth-User") != "" {
		s.t.Errorf("X-Auth-User on a %d", w.Code)
	}
	if len(w.Header()["Set-Cookie"]) > 0 {
		s.t.Error("an answer sets a cookie: nginx passes on one, Caddy makes one of two")
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		s.t.Errorf("Cache-Control is %q: a kept answer would outlive the logout", w.Header().Get("Cache-Control"))
	}
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// forwarded are the headers of a question about a GET of a page of the app's.
func forwarded(uri string, more ...string) []string {
	return append([]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com", "X-Forwarded-Uri", uri}, more...)
}

func TestAnswers(t *testing.T) {
	s := newSite(t)
	withCookie := []string{"Cookie", cookie + "=" + s.cookie}
	withBearer := []string{"Authorization", "Bearer " + s.bearer}
	for _, c := range []struct {
		why     string
		headers []string
		status  int
	}{
		{"a cookie", withCookie, 200},
		{"a token", withBearer, 200},
		{"nothing", nil, 401},
		{"an unknown cookie", []string{"Cookie", cookie + "=" + strings.Repeat("A", 64)}, 401},
		{"a changed cookie", []string{"Cookie", cookie + "=" + s.cookie[:63] + "_"}, 401},
		{"another's cookie name", []string{"Cookie", counterfoil.SharedCookieName + "=" + s.cookie}, 401},
		{"a bad token silences the cookie", append([]string{"Authorization", "Bearer x.y.z"}, withCookie...), 401},
		{"another scheme is the application's", append([]string{"Authorization", "Basic eDp5"}, withCookie...), 200},
		{"two cookies of our name: one is planted; 403 since nginx knows no 400", append([]string{"Cookie", cookie + "=" + strings.Repeat("A", 64)}, withCookie...), 403},
		{"two tokens", append(withBearer, withBearer...), 403},
	} {
		w := s.ask("/auth", c.headers...)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.why, w.Code, c.status, w.Body)
		}
		h := w.Header()
		if w.Code == 401 && (h.Get("X-Login-URL") == "" || !strings.HasPrefix(h.Get("WWW-Authenticate"), "Bearer")) {
			t.Errorf("%s: 401 needs X-Login-URL and WWW-Authenticate: %v", c.why, h)
		}
		if w.Code == 200 && (h.Get("X-Auth-User") != "john" || h.Get("X-Auth-Name") != "John%20Smith" || h.Get("X-Auth-Session") == "") {
			t.Errorf("%s: the answer has %v", c.why, h)
		}
	}
	if w := s.ask("/auth", withCookie...); w.Header().Get("X-Auth-Session") != s.session {
		t.Errorf("X-Auth-Session is %q, want %q", w.Header().Get("X-Auth-Session"), s.session)
	}
	_, err := s.sessions.EndUser(t.Context(), "john")
	check(t, err)
	for _, headers := range [][]string{withCookie, withBearer} {
		if w := s.ask("/auth", headers...); w.Code != 401 {
			t.Errorf("req 24: after the end: status %d", w.Code)
		}
	}
}

// TestVisitorsAreNobody: a session in which nobody is logged in is none.
func TestVisitorsAreNobody(t *testing.T) {
	s := newSite(t)
	if w := s.ask("/auth", "Cookie", cookie+"="+s.visitor()); w.Code != 401 {
		t.Errorf("status %d, want 401", w.Code)
	}
}

func TestOrigins(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		why     string
		headers []string
		status  int
	}{
		{"a GET from anywhere is a link", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"HEAD", []string{"X-Forwarded-Method", "HEAD", "Sec-Fetch-Site", "cross-site"}, 200},
		{"a form of the page's own", []string{"X-Forwarded-Method", "POST", "Origin", appURL, "Sec-Fetch-Site", "same-origin"}, 200},
		{"browsers before 2023 send Origin alone", []string{"X-Forwarded-Method", "POST", "Origin", appURL}, 200},
		{"Sec-Fetch-Site alone", []string{"X-Forwarded-Method", "POST", "Sec-Fetch-Site", "same-origin"}, 200},
		{"a page with no-referrer hides its origin", []string{"X-Forwarded-Method", "POST", "Origin", "null", "Sec-Fetch-Site", "same-origin"}, 200},
		{"a sandboxed page does, too", []string{"X-Forwarded-Method", "POST", "Origin", "null"}, 403},
		{"neither: no current browser, and there is no token to ask for", []string{"X-Forwarded-Method", "POST"}, 403},
		{"another site", []string{"X-Forwarded-Method", "POST", "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a sibling", []string{"X-Forwarded-Method", "POST", "Sec-Fetch-Site", "same-site"}, 403},
		{"the login page's origin is not the application's", []string{"X-Forwarded-Method", "POST", "Origin", authURL}, 403},
		{"the two disagree", []string{"X-Forwarded-Method", "POST", "Origin", "https://evil.test", "Sec-Fetch-Site", "same-origin"}, 403},
		{"the scheme counts", []string{"X-Forwarded-Method", "POST", "Origin", "http://app.example.com"}, 403},
		{"the port counts", []string{"X-Forwarded-Method", "POST", "Origin", appURL + ":8443"}, 403},
		{"two origins", []string{"X-Forwarded-Method", "POST", "Origin", appURL, "Origin", appURL}, 403},
		{"two sites", []string{"X-Forwarded-Method", "POST", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a method that nobody knows is unsafe", []string{"X-Forwarded-Method", "get"}, 403},
		{"in the other header", []string{"X-Original-Method", "DELETE"}, 403},
		{"the unsafe one of two counts", []string{"X-Forwarded-Method", "GET", "X-Original-Method", "POST"}, 403},
		{"in whatever order", []string{"X-Forwarded-Method", "POST", "X-Original-Method", "GET"}, 403},
		{"twice", []string{"X-Forwarded-Method", "GET", "X-Forwarded-Method", "POST"}, 403},
		{"TRACE shows cookies to scripts", []string{"X-Forwarded-Method", "TRACE", "Sec-Fetch-Site", "same-origin"}, 403},
		{"4.4.2: a WebSocket", []string{"Upgrade", "websocket", "Origin", "https://evil.test"}, 403},
		{"without an origin", []string{"Upgrade", "websocket"}, 403},
		{"whose Upgrade the proxy took out", []string{"Sec-WebSocket-Key", "x", "Origin", "https://evil.test"}, 403},
		{"the page's own", []string{"Upgrade", "websocket", "Origin", appURL}, 200},
	} {
		headers := append(forwarded("/a"), c.headers...)
		if w := s.ask("/auth", append(headers, "Cookie", cookie+"="+s.cookie)...); w.Code != c.status {
			t.Errorf("%s: status %d, want %d", c.why, w.Code, c.status)
		}
		if w := s.ask("/auth", append(headers, "Authorization", "Bearer "+s.bearer)...); w.Code != 200 && !strings.Contains(c.why, "TRACE") {
			t.Errorf("%s: with a token, which no browser adds by itself: status %d", c.why, w.Code)
		}
	}

	// The method of the question itself counts, too: Envoy asks so.
	r := httptest.NewRequest("POST", "/auth?uri=/a", nil)
	r.Host, r.RemoteAddr = "app.example.com", proxy
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("Cookie", cookie+"="+s.cookie)
	if w := s.answer(r); w.Code != 403 {
		t.Errorf("a POST without an origin: status %d", w.Code)
	}
	r.Header.Set("Origin", appURL)
	if w := s.answer(r); w.Code != 200 {
		t.Errorf("a POST from its own origin: status %d", w.Code)
	}
}

// TestUnknownProxies: who is not listed is believed only in what makes us
// stricter (4.1.3, req 43).
func TestUnknownProxies(t *testing.T) {
	s := newSite(t)
	ask := func(headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/auth", nil)
		r.RemoteAddr = "192.0.2.1:1"
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		return s.answer(r)
	}
	if got := ask(forwarded("/a")...).Header().Get("X-Login-URL"); got != authURL+"/login" {
		t.Errorf("X-Login-URL is %q: somebody's word about where to go is believed", got)
	}
	john := []string{"Cookie", cookie + "=" + s.cookie}
	if w := ask(john...); w.Code != 200 {
		t.Errorf("status %d, want 200", w.Code)
	}
	for origin, status := range map[string]int{appURL: 403, authURL: 200, "https://evil.test": 403} {
		if w := ask(append(forwarded("/a", "X-Forwarded-Method", "POST", "Origin", origin), john...)...); w.Code != status {
			t.Errorf("a POST from %s: status %d, want %d", origin, w.Code, status)
		}
	}
	linked := newSite(t, func(c *forwardauth.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("fe80::1/128")}
	})
	r := httptest.NewRequest("GET", "/auth", nil)
	r.RemoteAddr = "[fe80::1%eth0]:1"
	for i, headers := 0, forwarded("/a"); i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	if got := linked.answer(r).Header().Get("X-Login-URL"); got == authURL+"/login" {
		t.Error("a listed proxy on the same link is not known by its zone")
	}
	none := newSite(t, func(c *forwardauth.Config) { c.TrustedProxies = nil })
	if got := none.ask("/auth", forwarded("/a")...).Header().Get("X-Login-URL"); got != authURL+"/login" {
		t.Errorf("with no proxy listed, X-Login-URL is %q", got)
	}
}

// TestOriginalRequest: each proxy says it in its own words.
func TestOriginalRequest(t *testing.T) {
	s := newSite(t)
	const page = appURL + "/a?b=c"
	for _, c := range []struct {
		why, target string
		headers     []string
		next        string // empty: refused
	}{
		{"most of them", "/auth", forwarded("/a?b=c"), page},
		{"ingress-nginx", "/auth", []string{"X-Original-URL", page}, page},
		{"with the method", "/auth", []string{"X-Original-URL", page, "X-Original-Method", "GET"}, page},
		{"the path apart", "/auth", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com", "X-Original-URI", "/a?b=c"}, page},
		{"both, if they agree", "/auth", append(forwarded("/a?b=c"), "X-Original-URL", page, "X-Original-URI", "/a?b=c"), page},
		{"they don't: one is the client's", "/auth", append(forwarded("/a?b=c"), "X-Original-URL", appURL+"/x"), ""},
		{"another host", "/auth", append(forwarded("/a?b=c"), "X-Original-URL", "https://evil.test/a?b=c"), ""},
		{"another path", "/auth", append(forwarded("/a?b=c"), "X-Original-URI", "/x"), ""},
		{"a repeated header", "/auth", append(forwarded("/a?b=c"), "X-Forwarded-Host", "app.example.com"), ""},
		{"a list", "/auth", []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "app.example.com", "X-Forwarded-Uri", "/a"}, ""},
		{"a comma in a path is no list", "/auth", forwarded("/a,b"), appURL + "/a,b"},
		{"the scheme's own port is the same origin", "/auth", []string{"X-Original-URL", "https://APP.example.com:443/a?b=c"}, page},
		{"Envoy: the query holds the rest of the URL", "/auth?redirect&uri=/a?b=c", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com", "Accept", "*/*"}, page},
		{"a client's query that the proxy passes on says nothing", "/auth?uri=/evil&redirect", forwarded("/a?b=c"), page},
		{"a POST can't be repeated: to the front page", "/auth", append(forwarded("/a?b=c"), "X-Forwarded-Method", "POST"), appURL + "/"},
		{"too long to come back to", "/auth", forwarded("/" + strings.Repeat("a", 3000)), appURL + "/"},
		{"encoded signs stay as they are", "/auth", forwarded("/caf%C3%A9/a%20b?x=%2F%26"), appURL + "/caf%C3%A9/a%20b?x=%2F%26"},
	} {
		w := s.ask(c.target, c.headers...)
		if c.next == "" {
			if w.Code != 403 {
				t.Errorf("%s: status %d, want 403", c.why, w.Code)
			}
			continue
		}
		if want := authURL + "/login?next=" + url.QueryEscape(c.next); w.Code != 401 || w.Header().Get("X-Login-URL") != want {
			t.Errorf("%s: %d, %q, want %q", c.why, w.Code, w.Header().Get("X-Login-URL"), want)
		}
		if !s.front.MayReturnTo(c.next) {
			t.Errorf("%s: the login page would not lead back to %q", c.why, c.next)
		}
	}
	for why, headers := range map[string][]string{
		"an origin that is not listed": {"X-Original-URL", "https://evil.test/a"},
		"not even a sibling":           {"X-Original-URL", "https://wiki.example.com/a"},
		"the scheme counts":            {"X-Original-URL", "http://app.example.com/a"},
		"the port counts":              {"X-Original-URL", appURL + ":8443/a"},
		"a user in front":              {"X-Original-URL", "https://app.example.com@evil.test/a"},
		"another scheme":               {"X-Original-URL", "javascript://app.example.com/a"},
		"no host":                      {"X-Forwarded-Uri", "/a"},
		"something in the host":        {"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com/x", "X-Forwarded-Uri", "/a"},
	} {
		if w := s.ask("/auth", headers...); w.Code != 401 || w.Header().Get("X-Login-URL") != authURL+"/login" {
			t.Errorf("%s: %d, %q", why, w.Code, w.Header().Get("X-Login-URL"))
		}
	}
}

// TestLoginURLIsEscaped: it goes into a Location as it is, and says one thing.
func TestLoginURLIsEscaped(t *testing.T) {
	s := newSite(t)
	w := s.ask("/auth", forwarded(`/a?b=c&next=https://evil.test/&d="<>' #é`)...)
	login := w.Header().Get("X-Login-URL")
	u, err := url.Parse(login)
	check(t, err)
	if strings.ContainsAny(login, " \"<>'\r\n") || len(u.Query()["next"]) != 1 || u.Fragment != "" {
		t.Errorf("X-Login-URL is %q", login)
	}
}

func TestAmbiguousPaths(t *testing.T) {
	s := newSite(t)
	lax := newSite(t, func(c *forwardauth.Config) { c.AmbiguousPaths = true })
	for _, path := range []string{
		"//", "//a", "/a//b", "/a/./b", "/a/../b", "/..", "/a/..", "/%2e%2e/a", "/%2E/a", "/a%2fb", "/a%2Fb", "/a%5cb", `/a\b`, "/a;b", "/a%3Bb",
		"/a%00", "/a%0d%0aX-Auth-User:%20mary", "/%252e%252e/a", "/a b", "/a\x7f", "/a#b", "a", "a/b", "https://evil.test/",
	} {
		if w := s.ask("/auth", forwarded(path, "Cookie", cookie+"="+s.cookie)...); w.Code != 403 {
			t.Errorf("req 45: %q: status %d, want 403", path, w.Code)
		}
		if w := s.ask("/auth", forwarded(path)...); w.Code != 403 {
			t.Errorf("req 45: %q, without a login: status %d, want 403", path, w.Code)
		}
		if w := lax.ask("/auth", forwarded(path, "Cookie", cookie+"="+lax.cookie)...); w.Code != 200 {
			t.Errorf("%q: where the configuration allows it: status %d", path, w.Code)
		}
	}
	for _, path := range []string{"/", "/a", "/a/", "/a/b.html", "/a...b", "/.well-known/x", "/a%20b", "/caf%C3%A9", "/a?b=//c;d%2e%2f\\", "/~john/", "*"} {
		if w := s.ask("/auth", forwarded(path, "Cookie", cookie+"="+s.cookie)...); w.Code != 200 {
			t.Errorf("%q: status %d, want 200", path, w.Code)
		}
	}
}

func TestRedirects(t *testing.T) {
	s := newSite(t)
	login := authURL + "/login?next=" + url.QueryEscape(appURL+"/a")
	for _, c := range []struct {
		why     string
		headers []string
		status  int
	}{
		{"a browser asks for a page", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html,*/*"}, 303},
		{"an older browser", []string{"Accept", "text/html,*/*"}, 303},
		{"a script", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, 401},
		{"an image", []string{"Sec-Fetch-Mode", "no-cors"}, 401},
		{"a program", []string{"Accept", "*/*"}, 401},
		{"a form: what was typed would be lost without a word", []string{"X-Forwarded-Method", "POST", "Accept", "text/html"}, 401},
		{"a program with a token", []string{"Accept", "text/html", "Authorization", "Bearer x"}, 401},
	} {
		w := s.ask("/auth?redirect", append(forwarded("/a"), c.headers...)...)
		if w.Code != c.status || (w.Code == 303) != (w.Header().Get("Location") == login) {
			t.Errorf("%s: %d to %q, want %d", c.why, w.Code, w.Header().Get("Location"), c.status)
		}
		if w := s.ask("/auth", append(forwarded("/a"), c.headers...)...); w.Code != 401 {
			t.Errorf("%s: without ?redirect: %d", c.why, w.Code)
		}
	}
}

// TestNamesInHeaders: whatever a user is called, the header names him alone.
func TestNamesInHeaders(t *testing.T) {
	s := newSite(t)
	for user, want := range map[string]string{
		"john@example.com": "john@example.com",
		"john, mary":       "john%2C%20mary",
		"john%20":          "john%2520",
		"jörg":             "j%C3%B6rg",
		"a\r\nX-Admin: 1":  "a%0D%0AX-Admin:%201",
	} {
		value, _ := s.logIn(user, "")
		h := s.ask("/auth", "Cookie", cookie+"="+value).Header()
		if h.Get("X-Auth-User") != want || h.Get("X-Auth-Name") != want {
			t.Errorf("%q is %q and %q, want %q", user, h.Get("X-Auth-User"), h.Get("X-Auth-Name"), want)
		}
	}
}

// TestIdentityToken: the application can verify who asks, and do nothing else
// with it (9.2.2, req 21).
func TestIdentityToken(t *testing.T) {
	s := newSite(t, func(c *forwardauth.Config) { c.IdentityToken = true })
	john := []string{"Cookie", cookie + "=" + s.cookie}
	w := s.ask("/auth", append(forwarded("/a"), john...)...)
	signed := w.Header().Get("X-Auth-Token")
	keys := httptest.NewRecorder()
	s.sessions.JWKS().ServeHTTP(keys, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	var set jose.JSONWebKeySet
	check(t, json.Unmarshal(keys.Body.Bytes(), &set))
	token, err := jwt.ParseSigned(signed, []jose.SignatureAlgorithm{jose.EdDSA})
	check(t, err)
	var claims jwt.Claims
	var more struct {
		Session string `json:"sid"`
		Name    string `json:"preferred_username"`
	}
	check(t, token.Claims(&set, &claims, &more))
	check(t, claims.Validate(jwt.Expected{Issuer: authURL, Subject: "john", AnyAudience: jwt.Audience{appURL}, Time: time.Now()}))
	if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life != time.Minute {
		t.Errorf("it lives for %v, want a minute", life)
	}
	if more.Session != s.session || more.Name != "John Smith" {
		t.Errorf("it says %+v", more)
	}
	if typ := token.Headers[0].ExtraHeaders[jose.HeaderType]; typ != counterfoil.IdentityTokenType {
		t.Errorf("its typ is %v", typ)
	}
	if _, err := s.sessions.CheckToken(t.Context(), signed); err == nil {
		t.Error("req 21: it is accepted as an access token")
	}
	if w := s.ask("/auth", "Authorization", "Bearer "+signed); w.Code != 401 {
		t.Errorf("req 21: it opens the front door: %d", w.Code)
	}
	for why, headers := range map[string][]string{
		"an origin that is not listed": {"X-Original-URL", "https://evil.test/"},
		"an origin that is not known":  nil,
	} {
		if w := s.ask("/auth", append(headers, john...)...); w.Code != 403 || w.Header().Get("X-Auth-Token") != "" {
			t.Errorf("%s: status %d", why, w.Code)
		}
	}
	if w := newSite(t).ask("/auth", append(forwarded("/a"), john...)...); w.Header().Get("X-Auth-Token") != "" {
		t.Error("there is a token that nobody asked for")
	}
}

func TestNewRefuses(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{})
	check(t, err)
	defer sessions.Close()
	for why, c := range map[string]forwardauth.Config{
		"no manager":             {LoginURL: authURL + "/login"},
		"no login URL":           {Sessions: sessions},
		"a login URL in part":    {Sessions: sessions, LoginURL: "/login"},
		"a login URL with query": {Sessions: sessions, LoginURL: authURL + "/login?x"},
		"an origin with a path":  {Sessions: sessions, LoginURL: authURL + "/login", Origins: []string{appURL + "/"}},
		"an origin in odd case":  {Sessions: sessions, LoginURL: authURL + "/login", Origins: []string{"https://App.example.com"}},
		"a pattern":              {Sessions: sessions, LoginURL: authURL + "/login", Origins: []string{"https://*.example.com"}},
		"no scheme":              {Sessions: sessions, LoginURL: authURL + "/login", Origins: []string{"app.example.com"}},
	} {
		if _, err := forwardauth.New(c); err == nil {
			t.Errorf("%s: accepted", why)
		}
	}
}
