package counterfoil_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestAdmit: a request that somebody else has received is judged as Handler
// would, but for the CSRF token.
func TestAdmit(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	value := s.user("john").cookies[cookieName]
	anonymous := s.browser()
	anonymous.get("/form")
	for _, c := range []struct {
		why, method string
		header      http.Header
		err         error
	}{
		{"a cookie", "GET", http.Header{"Cookie": {cookieName + "=" + value}}, nil},
		{"nothing", "GET", nil, counterfoil.ErrNoSession},
		{"a visitor's session", "GET", http.Header{"Cookie": {cookieName + "=" + anonymous.cookies[cookieName]}}, counterfoil.ErrNoSession},
		{"two cookies", "GET", http.Header{"Cookie": {cookieName + "=a; " + cookieName + "=b"}}, counterfoil.ErrBadCookie},
		{"two tokens", "GET", http.Header{"Authorization": {"Bearer a", "Bearer b"}}, counterfoil.ErrBadAuthorization},
		{"a bad token", "GET", http.Header{"Authorization": {"Bearer a"}}, counterfoil.ErrInvalidToken},
		{"an unsafe request, and nobody says from where", "POST", http.Header{"Cookie": {cookieName + "=" + value}}, counterfoil.ErrCrossOrigin},
		{"from our origin", "POST", http.Header{"Cookie": {cookieName + "=" + value}, "Origin": {publicURL}}, nil},
		{"from another", "POST", http.Header{"Cookie": {cookieName + "=" + value}, "Origin": {"https://evil.test"}}, counterfoil.ErrCrossOrigin},
		{"an unsafe request without a session", "POST", http.Header{"Origin": {publicURL}}, counterfoil.ErrNoSession},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		for name, values := range c.header {
			r.Header[name] = values
		}
		session, err := s.Admit(r)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: error %v, want %v", c.why, err, c.err)
		}
		if err == nil && (session.User() != "john" || !session.Current()) {
			t.Errorf("%s: the session is %v's", c.why, session.User())
		}
	}
}

// TestCookieDomain: a cookie that several hosts share (3.3.1, 3.3.3).
func TestCookieDomain(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "https://auth.example.com", CookieDomain: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	handler := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := counterfoil.CSRFToken(r.Context())
		if r.URL.Path == "/login" {
			err = errors.Join(err, sessions.Login(r.Context(), counterfoil.Login{User: "john", InsecureAllowGET: true}))
		}
		if r.URL.Path == "/logout" {
			err = errors.Join(err, sessions.Logout(r.Context()))
		}
		if err != nil {
			t.Error(err)
		}
	}))
	visit := func(path, cookie string) *http.Cookie {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		set := w.Result().Cookies()
		if len(set) != 1 {
			t.Fatalf("%s sets %v", path, set)
		}
		return set[0]
	}
	first := visit("/", "")
	login := visit("/login", first.Name+"="+first.Value)
	logout := visit("/logout", login.Name+"="+login.Value)
	for _, c := range []*http.Cookie{first, login, logout} {
		if c.Name != "__Secure-counterfoil" || c.Domain != "example.com" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("the cookie is %v", c)
		}
	}
	if logout.MaxAge >= 0 {
		t.Errorf("req 14: the logout leaves the cookie: %v", logout)
	}
	// The name of a cookie of one host is not ours any more: a session does not
	// change its reach.
	r := httptest.NewRequest("GET", "/", nil)
	again := visit("/login", first.Name+"="+visit("/", "").Value)
	r.Header.Set("Cookie", counterfoil.SecureCookieName+"="+again.Value)
	if _, err := sessions.Admit(r); !errors.Is(err, counterfoil.ErrNoSession) {
		t.Errorf("under another name the cookie counts: %v", err)
	}
	// A sibling has planted a cookie beside ours: it can't be told which is ours.
	r.Header.Set("Cookie", again.Name+"="+again.Value+"; "+again.Name+"="+strings.Repeat("A", 64))
	if _, err := sessions.Admit(r); !errors.Is(err, counterfoil.ErrBadCookie) {
		t.Errorf("D10: a planted cookie: %v", err)
	}
	// Nor does sharing a cookie make the siblings' requests ours.
	r = httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Cookie", again.Name+"="+again.Value)
	r.Header.Set("Origin", "https://wiki.example.com")
	if _, err := sessions.Admit(r); !errors.Is(err, counterfoil.ErrCrossOrigin) {
		t.Errorf("req 16: a sibling's request: %v", err)
	}
}

func TestCookieDomainIsChecked(t *testing.T) {
	for _, c := range []struct {
		why, public, domain string
	}{
		{"a dot in front", "https://app.example.com", ".example.com"},
		{"a top-level domain", "https://app.example.com", "com"},
		{"in upper case", "https://app.example.com", "Example.com"},
		{"another domain", "https://app.example.com", "example.org"},
		{"a part of a label", "https://app.example.com", "ample.com"},
		{"a subdomain of the host", "https://example.com", "app.example.com"},
		{"an address", "https://192.0.2.1", "192.0.2.1"},
		{"a port", "https://app.example.com:8443", "example.com:8443"},
		{"an attribute", "https://app.example.com", "example.com; Path=/x"},
		{"plain http", "http://app.localhost", "app.localhost"},
	} {
		if _, err := counterfoil.New(counterfoil.Config{PublicURL: c.public, CookieDomain: c.domain}); err == nil {
			t.Errorf("%s: accepted", c.why)
		}
	}
}
