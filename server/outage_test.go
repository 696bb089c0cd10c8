package server_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/storetest"
)

// TestOutage: while the store can't be reached, nobody is let in, and nobody is
// told that he is logged out (16.5.3, G1).
func TestOutage(t *testing.T) {
	var down atomic.Bool
	const bound = 100 * time.Millisecond
	s := openSite(t, func(c *server.Config) {
		c.Sessions.Bound = bound
		c.Sessions.Store = storetest.Faulty{
			Store: memory.New(memory.Config{}),
			Fault: func(string) storetest.Fault {
				if down.Load() {
					return storetest.Fault{Err: errors.New("dial tcp 10.1.2.3: connection refused")}
				}
				return storetest.Fault{}
			},
		}
	})
	c, g := s.loggedIn(), s.apiLogin()
	token := c.token("/account")
	api := s.withCookie("")

	down.Store(true)
	time.Sleep(bound) // until then the sessions that were seen are known to live
	for why, answer := range map[string]reply{
		"a page by cookie":        c.get("/account"),
		"the login page":          s.newClient().get("/login"),
		"a form":                  c.post("/account/password", token, "old_password", password, "new_password", another),
		"a logout":                c.post("/logout", token),
		"the API by cookie":       c.get("/v1/session"),
		"the API by token":        api.do("GET", "/v1/session", bearer(g.AccessToken), ""),
		"a logout by token":       api.do("DELETE", "/v1/session", bearer(g.AccessToken), ""),
		"a login by the API":      api.postJSON("/v1/login", map[string]string{"username": "john", "password": password}),
		"a refresh":               refresh(api, g.RefreshToken),
		"readyz":                  api.get("/readyz"),
		"a made-up cookie":        s.withCookie(strings.Repeat("A", 64)).get("/account"),
		"a made-up refresh token": refresh(api, g.RefreshToken[:len(g.RefreshToken)-4]+"AAAA"),
	} {
		if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || len(answer.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %s, Retry-After %q, cookies %q", why, answer.Status, answer.Header.Get("Retry-After"), answer.Header["Set-Cookie"])
		}
		if strings.Contains(answer.body, "10.1.2.3") {
			t.Errorf("16.5.1: %s tells the visitor about the store", why)
		}
	}
	if code := decode[map[string]string](t, refresh(api, g.RefreshToken))["error"]; code != "temporarily_unavailable" {
		t.Errorf("a refresh: error %q; a client must not throw its token away", code)
	}
	want(t, api.get("/healthz"), 200)
	want(t, api.do("GET", "/v1/session", bearer("x.y.z"), ""), 401) // what needs no store

	down.Store(false)
	time.Sleep(bound) // until the next beat
	want(t, c.get("/account"), 200)
	want(t, refresh(api, g.RefreshToken), 200)
}

// TestFailedLogout: who could not be logged out is told so, and the operator
// finds the cause by the incident on the page.
func TestFailedLogout(t *testing.T) {
	var down atomic.Bool
	const bound = 100 * time.Millisecond
	s := openSite(t, func(c *server.Config) {
		c.Sessions.Bound = bound
		c.Sessions.Store = storetest.Faulty{
			Store: memory.New(memory.Config{}),
			Fault: func(method string) storetest.Fault {
				if down.Load() && method == "End" {
					return storetest.Fault{Err: errors.New("disk full")}
				}
				return storetest.Fault{}
			},
		}
	})
	c := s.loggedIn()
	token := c.token("/account")
	down.Store(true)
	answer := c.post("/logout", token)
	want(t, answer, 503)
	if !strings.Contains(answer.body, "You are not logged out") || c.cookie() == "" {
		t.Error("the visitor may think that he is logged out")
	}
	_, rest, _ := strings.Cut(answer.body, "Incident <code>")
	incident, _, ok := strings.Cut(rest, "</code>")
	if !ok || !strings.Contains(s.log.String(), "incident="+incident) || strings.Contains(answer.body, "disk full") {
		t.Errorf("the incident %q is not what finds the cause", incident)
	}
	down.Store(false)
	time.Sleep(bound) // until the next beat
	want(t, c.post("/logout", token), 303)
}

// TestHalfChangedPassword: where the other sessions can't be ended, the user is
// told what is done and what is not, and the server goes on with it (7.4.3).
func TestHalfChangedPassword(t *testing.T) {
	var down atomic.Bool
	const bound = 100 * time.Millisecond
	s := openSite(t, func(c *server.Config) {
		c.Sessions.Bound = bound
		c.Sessions.Store = storetest.Faulty{
			Store: memory.New(memory.Config{}),
			Fault: func(method string) storetest.Fault {
				if down.Load() && method == "EndUser" {
					return storetest.Fault{Err: errors.New("disk full")}
				}
				return storetest.Fault{}
			},
		}
	})
	c, other := s.loggedIn(), s.loggedIn()
	down.Store(true)
	answer := c.post("/account/password", c.token("/account"), "old_password", password, "new_password", another)
	want(t, answer, 503)
	if !strings.Contains(answer.body, "Your password is changed") {
		t.Errorf("the visitor does not learn that his password is changed:\n%s", answer.body)
	}
	want(t, s.newClient().login("john", password), 401)
	down.Store(false)
	time.Sleep(bound) // until the next beat
	waitFor(t, func() bool { return other.get("/v1/session").StatusCode == 401 })
	want(t, c.get("/v1/session"), 401)
}

// TestStoreFailsInTheMiddle: one call of the store fails while a request runs.
// The request is done, or it is a 503; it is never a refusal, which would say
// something about the session, and never half an answer (16.5.3, D5).
func TestStoreFailsInTheMiddle(t *testing.T) {
	var failing atomic.Value
	failing.Store("")
	s := openSite(t, func(c *server.Config) {
		c.Sessions.Store = storetest.Faulty{
			Store: memory.New(memory.Config{}),
			Fault: func(method string) storetest.Fault {
				if method == failing.Load() {
					return storetest.Fault{Err: errors.New("disk full")}
				}
				return storetest.Fault{}
			},
		}
	})
	var other string // the id of another session of John's
	requests := map[string]func(c *client, token string) reply{
		"the account":    func(c *client, _ string) reply { return c.get("/account") },
		"the login form": func(c *client, _ string) reply { return c.get("/login") },
		"a first visit":  func(c *client, _ string) reply { return s.newClient().get("/login") },
		"the sessions":   func(c *client, _ string) reply { return c.get("/v1/sessions") },
		"end others":     func(c *client, token string) reply { return c.post("/account/sessions/end-others", token) },
		"end one": func(c *client, token string) reply {
			return c.do("DELETE", "/v1/sessions/"+other, csrfHeader(token), "")
		},
		"end one, a page": func(c *client, token string) reply { return c.post("/account/sessions/"+other+"/end", token) },
		"end all":         func(c *client, token string) reply { return c.do("DELETE", "/v1/sessions", csrfHeader(token), "") },
		"logout":          func(c *client, token string) reply { return c.do("DELETE", "/v1/session", csrfHeader(token), "") },
		"login": func(c *client, token string) reply {
			return c.post("/login", token, "username", "john", "password", password)
		},
	}
	for _, method := range []string{"Find", "List", "Values", "SaveValues", "Create", "End", "EndUser", "Generation"} {
		failures := 0
		for why, request := range requests {
			failing.Store("")
			c := s.loggedIn()
			token := c.token("/account")
			if strings.HasPrefix(why, "end one") {
				other = decode[map[string]any](t, s.loggedIn().get("/v1/session"))["id"].(string)
			}
			failing.Store(method)
			answer := request(c, token)
			switch {
			case answer.StatusCode == 503 && answer.Header.Get("Retry-After") != "" && !strings.Contains(answer.body, "disk full"):
				failures++
			case answer.StatusCode >= 400:
				t.Errorf("%s fails: %s: %s", method, why, answer.Status)
			}
		}
		if failures == 0 {
			t.Errorf("no request needed %s", method)
		}
		failing.Store("")
	}
}

func csrfHeader(token string) http.Header { return http.Header{"X-Csrf-Token": {token}} }
