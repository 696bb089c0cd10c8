package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

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

// letsIn reports whether the session's doors are open. It is an error if they
// disagree, or lead to another session.
func letsIn(base string, s *client) (bool, error) {
	doors := s.doors()
	open := 0
	for _, d := range doors {
		a, err := d.send(base)
		switch {
		case err != nil:
			return false, err
		case a.status == http.StatusOK:
			open++
		case !d.refused(a):
			return false, &statusError{d.name, a}
		}
		if a.status != http.StatusOK || d.path != "/v1/token" {
			continue
		}
		was := *s
		if err := s.take(a); err != nil {
			return false, err
		}
		if s.sid != was.sid || s.user != was.user {
			return false, fmt.Errorf("a refresh token of session %s gave session %s of %s", was.sid, s.sid, s.user)
		}
	}
	if open != 0 && open != len(doors) {
		return false, fmt.Errorf("%d of %d doors are open", open, len(doors))
	}
	return open > 0, nil
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
