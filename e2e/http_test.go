package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const cookieName = "counterfoil" // on http://localhost

// A request is what a client sends. The zero value of each field sends nothing.
type request struct {
	method, path string
	bearer       string // access token
	cookie       string // value of the session cookie
	cookieName   string // empty: the one on http://localhost
	csrf         string // X-CSRF-Token
	form         url.Values
	json         any
}

// An answer is what came back, whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// plain follows no redirect and keeps no cookie: tests say what is sent.
var plain = &http.Client{
	Timeout:       20 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends the request. An error means that no whole answer came back: what
// the server did is then unclear.
func (r request) send(base string) (answer, error) {
	req, err := r.build(base)
	if err != nil {
		return answer{}, err
	}
	resp, err := plain.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

func (r request) build(base string) (*http.Request, error) {
	var body io.Reader
	var contentType string
	switch {
	case r.form != nil:
		body, contentType = strings.NewReader(r.form.Encode()), "application/x-www-form-urlencoded"
	case r.json != nil:
		raw, err := json.Marshal(r.json)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(raw), "application/json"
	}
	req, err := http.NewRequest(r.method, base+r.path, body)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Content-Type": contentType, "X-CSRF-Token": r.csrf} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	if r.cookie != "" {
		req.AddCookie(&http.Cookie{Name: cmp.Or(r.cookieName, cookieName), Value: r.cookie})
	}
	return req, nil
}

// must sends the request to the server and ends the test unless an answer comes.
func (p *process) must(r request) answer {
	p.t.Helper()
	a, err := r.send(p.url)
	check(p.t, err)
	return a
}

// setCookie returns the session cookie that the answer sets. Empty and true: it
// takes the cookie away.
func (a answer) setCookie() (value string, found bool) { return a.setCookieNamed(cookieName) }

func (a answer) setCookieNamed(name string) (value string, found bool) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c.Value, true
		}
	}
	return "", false
}

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// csrf returns the token in the first form of the page.
func (a answer) csrf() string {
	if m := csrfField.FindStringSubmatch(a.body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// A client is a session and the credentials for it: tokens after a login by API,
// a cookie and its CSRF token after one by form. After a cookie's login, access
// may hold a token as well.
type client struct {
	sid, user       string
	access, refresh string
	cookie, csrf    string
}

func (c *client) secrets(s *secrets) {
	s.add("an access token", c.access)
	s.add("a refresh token", c.refresh)
	s.add("a session cookie", c.cookie)
	s.add("a CSRF token", c.csrf)
}

// tokens is the server's answer to a login by API and to a refresh.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Session      struct{ ID, User string }
}

// A statusError is an answer other than the one that was hoped for.
type statusError struct {
	did string
	answer
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: status %d: %s", e.did, e.status, e.body)
}

// loginAPI logs in for tokens.
func loginAPI(base, user, password string) (*client, error) {
	a, err := request{method: "POST", path: "/v1/login", json: map[string]string{"username": user, "password": password}}.send(base)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, &statusError{"log in by API", a}
	}
	c := &client{}
	return c, c.take(a)
}

func (c *client) take(a answer) error {
	var t tokens
	if err := json.Unmarshal([]byte(a.body), &t); err != nil {
		return err
	}
	c.access, c.refresh, c.sid, c.user = t.AccessToken, t.RefreshToken, t.Session.ID, t.Session.User
	return nil
}

// loginForm logs in as a browser does, and asks for a token for the API, too.
func loginForm(base, user, password string) (*client, error) {
	page, err := request{method: "GET", path: "/login"}.send(base)
	if err != nil {
		return nil, err
	}
	anonymous, _ := page.setCookie()
	a, err := request{method: "POST", path: "/login", cookie: anonymous, form: url.Values{
		"csrf_token": {page.csrf()}, "username": {user}, "password": {password},
	}}.send(base)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusSeeOther {
		return nil, &statusError{"log in by form", a}
	}
	c := &client{}
	c.cookie, _ = a.setCookie()
	return c, c.lookAround(base)
}

// lookAround fetches what belongs to the cookie: CSRF token, access token, id.
func (c *client) lookAround(base string) error {
	for _, step := range []struct {
		request
		into any
	}{
		{request{method: "GET", path: "/v1/csrf"}, &struct {
			Token *string `json:"csrf_token"`
		}{&c.csrf}},
		{request{method: "GET", path: "/v1/session"}, &struct{ ID, User *string }{&c.sid, &c.user}},
		{request{method: "POST", path: "/v1/session/token"}, &struct {
			Token *string `json:"access_token"`
		}{&c.access}},
	} {
		step.cookie, step.csrf = c.cookie, c.csrf
		a, err := step.send(base)
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return &statusError{step.path, a}
		}
		if err := json.Unmarshal([]byte(a.body), step.into); err != nil {
			return err
		}
	}
	return nil
}

// A door is one way to show that one belongs to a session.
type door struct {
	name string
	request
}

// doors are the ways that this client has.
func (c *client) doors() []door {
	var all []door
	if c.access != "" {
		all = append(all, door{"access token", request{method: "GET", path: "/v1/session", bearer: c.access}})
	}
	if c.cookie != "" {
		all = append(all, door{"cookie", request{method: "GET", path: "/v1/session", cookie: c.cookie}})
	}
	if c.refresh != "" {
		all = append(all, door{"refresh token", request{method: "POST", path: "/v1/token", form: url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}}}})
	}
	return all
}

// refused reports whether an answer at a door is the one for a session that has
// ended. RFC 6749 section 5.2 has 400 for refresh tokens.
func (d door) refused(a answer) bool {
	if d.path == "/v1/token" {
		return a.status == http.StatusBadRequest && strings.Contains(a.body, "invalid_grant")
	}
	return a.status == http.StatusUnauthorized
}

// mustLoginAPI and mustLoginForm log in, and note the secrets.
func (p *process) mustLoginAPI(user string) *client {
	p.t.Helper()
	c, err := loginAPI(p.url, user, password)
	check(p.t, err)
	c.secrets(p.secrets)
	return c
}

func (p *process) mustLoginForm(user string) *client {
	p.t.Helper()
	c, err := loginForm(p.url, user, password)
	check(p.t, err)
	c.secrets(p.secrets)
	return c
}

// mustAccept and mustRefuse try every door of the client. Trying the one for
// refresh tokens changes the client's tokens.
func (p *process) mustAccept(c *client, when string) {
	p.t.Helper()
	for _, d := range c.doors() {
		a := p.must(d.request)
		if a.status != http.StatusOK {
			p.t.Errorf("%s: the %s of a session that lives gets %d: %s", when, d.name, a.status, a.body)
		} else if d.path == "/v1/token" {
			check(p.t, c.take(a))
			c.secrets(p.secrets)
		}
	}
}

func (p *process) mustRefuse(c *client, when string) {
	p.t.Helper()
	for _, d := range c.doors() {
		if a := p.must(d.request); !d.refused(a) {
			p.t.Errorf("%s: the %s of a session that has ended gets %d: %s", when, d.name, a.status, a.body)
		}
	}
}

// eventually tries until ok, for as long as servers may take to follow one
// another: the default bound of 2 seconds, and some for a slow machine.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}
