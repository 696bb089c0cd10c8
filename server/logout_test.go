package server_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil/server"
)

// TestNothingOutlivesTheLogout replays every artefact of a session after each
// way to end it (7.4.1, req 24).
func TestNothingOutlivesTheLogout(t *testing.T) {
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		s := openSite(t, use)
		csrf := func(token string) http.Header { return http.Header{"X-Csrf-Token": {token}} }
		for why, end := range map[string]func(c *client, token string) reply{
			"logout by the page":     func(c *client, token string) reply { return c.post("/logout", token) },
			"logout by the API":      func(c *client, token string) reply { return c.do("DELETE", "/v1/session", csrf(token), "") },
			"all sessions ended":     func(c *client, token string) reply { return c.do("DELETE", "/v1/sessions", csrf(token), "") },
			"ended from elsewhere":   func(c *client, token string) reply { return endFromElsewhere(s, c) },
			"others ended elsewhere": func(c *client, token string) reply { return endOthersFromElsewhere(s) },
			"another login": func(c *client, token string) reply {
				return c.post("/login", token, "username", "john", "password", password)
			},
		} {
			t.Run(why, func(t *testing.T) {
				c := s.loggedIn()
				token, cookie := c.token("/account"), c.cookie()
				jwt := decode[grant](t, c.do("POST", "/v1/session/token", csrf(token), "")).AccessToken
				if answer := end(c, token); answer.StatusCode >= 400 {
					t.Fatalf("the end: %s", answer.Status)
				}
				old := s.withCookie(cookie)
				want(t, old.get("/account"), 303) // to the login form
				want(t, old.get("/auth"), 401)
				want(t, old.get("/v1/session"), 401)
				want(t, old.get("/v1/sessions"), 401)
				want(t, old.get("/v1/csrf"), 401)
				want(t, old.post("/account/sessions/end-others", token), 403)
				want(t, old.post("/login", token, "username", "john", "password", password), 403)
				want(t, old.do("POST", "/v1/session/token", csrf(token), ""), 401)
				api := s.withCookie("")
				want(t, api.do("GET", "/auth", bearer(jwt), ""), 401)
				want(t, api.do("GET", "/v1/session", bearer(jwt), ""), 401)
				want(t, api.do("DELETE", "/v1/session", bearer(jwt), ""), 401)
				want(t, c.post("/account/sessions/end-others", token), 403) // 3.5.1: nor the token with a new cookie
			})
		}
	})
}

func endFromElsewhere(s *site, c *client) reply {
	id := decode[map[string]any](s.t, c.get("/v1/session"))["id"].(string)
	other := s.loggedIn()
	return other.post("/account/sessions/"+id+"/end", other.token("/account"))
}

func endOthersFromElsewhere(s *site) reply {
	other := s.loggedIn()
	return other.post("/account/sessions/end-others", other.token("/account"))
}

// TestEndingAllTakesTheCookie: the session at hand is among them.
func TestEndingAllTakesTheCookie(t *testing.T) {
	s := openSite(t)
	c := s.loggedIn()
	answer := c.do("DELETE", "/v1/sessions", http.Header{"X-Csrf-Token": {c.token("/account")}}, "")
	want(t, answer, 200)
	if c.cookie() != "" || answer.Header.Get("Clear-Site-Data") == "" {
		t.Error("the browser keeps a dead cookie")
	}
}

// TestClientLogout: for a client without a cookie, the refresh token dies with
// the session, too.
func TestClientLogout(t *testing.T) {
	s := openSite(t)
	g := s.apiLogin()
	c := s.withCookie("")
	answer := c.do("DELETE", "/v1/session", bearer(g.AccessToken), "")
	want(t, answer, 204)
	if len(answer.Header["Set-Cookie"]) > 0 || answer.Header.Get("Clear-Site-Data") != "" {
		t.Error("a logout by token touched the cookies")
	}
	want(t, c.do("GET", "/v1/session", bearer(g.AccessToken), ""), 401)
	want(t, refresh(c, g.RefreshToken), 400)
}

func refresh(c *client, token string) reply {
	return c.do("POST", "/v1/token", formHeader, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}.Encode())
}

func TestLogoutTwice(t *testing.T) {
	s := openSite(t)
	c := s.loggedIn()
	token, cookie := c.token("/account"), c.cookie()
	want(t, c.post("/logout", token), 303)
	again := map[string]reply{
		"without the cookie":           c.post("/logout", token),
		"with the old cookie":          s.withCookie(cookie).post("/logout", token),
		"with no cookie and no token":  s.withCookie("").post("/logout", ""),
		"as a visitor, with old token": s.withCookie(visitorCookie(s)).post("/logout", token),
	}
	for why, answer := range again {
		if answer.StatusCode != 303 || answer.Header.Get("Location") != "/login" || answer.Header.Get("Clear-Site-Data") != `"cache","cookies","storage"` {
			t.Errorf("a second logout %s: %s, %v", why, answer.Status, answer.Header)
		}
		if cookies := answer.Cookies(); len(cookies) != 1 || cookies[0].Name != cookieName || cookies[0].MaxAge != -1 {
			t.Errorf("a second logout %s: cookies %v, want the session's expired", why, cookies)
		}
	}
	// A form on another site must not take the cookie out of the browser: it was
	// not sent along, and the answer's Set-Cookie would count (3.5.1).
	forged := s.withCookie("").do("POST", "/logout", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://evil.test"}}, "")
	want(t, forged, 403)
	if len(forged.Header["Set-Cookie"]) > 0 || forged.Header.Get("Clear-Site-Data") != "" {
		t.Error("a forged logout changed the browser's cookies")
	}
}

func visitorCookie(s *site) string {
	c := s.newClient()
	c.token("/login")
	return c.cookie()
}

// TestFixation: an id that the visitor brings is never taken for good (7.2.4,
// D10).
func TestFixation(t *testing.T) {
	s := openSite(t)
	for why, planted := range map[string]string{
		"made up":                         "AaIH_L60fKugjMHhEcazvlBW0fmZn3fj3uQ_qdKwJHgNQydg28JdySP2FvCK64m9",
		"of another visitor":              visitorCookie(s),
		"of a user, from another browser": s.loggedIn().cookie(),
	} {
		answer := s.withCookie(planted).get("/login")
		for _, cookie := range answer.Cookies() {
			if cookie.Value == planted {
				t.Errorf("%s: the planted cookie was handed out", why)
			}
		}
	}
	attackers := s.newClient()
	token := attackers.token("/login")
	planted := attackers.cookie()
	victim := s.withCookie(planted)
	want(t, victim.post("/login", token, "username", "john", "password", password), 303)
	want(t, attackers.get("/account"), 303)
	want(t, attackers.get("/v1/session"), 401)
	want(t, attackers.post("/login", token, "username", "john", "password", password), 403)
}

// TestSessionLimit: it holds under parallel logins (7.1.2, req 13).
func TestSessionLimit(t *testing.T) {
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		s := openSite(t, use, func(c *server.Config) { c.Sessions.MaxSessions = 3 })
		var clients []*client
		var logins sync.WaitGroup
		for range 8 {
			c := s.newClient()
			clients = append(clients, c)
			token := c.token("/login")
			logins.Go(func() {
				if answer := c.post("/login", token, "username", "john", "password", password); answer.StatusCode != 303 {
					t.Errorf("login: %s", answer.Status)
				}
			})
		}
		logins.Wait()
		live := 0
		for _, c := range clients {
			if c.get("/v1/session").StatusCode == 200 {
				live++
			}
		}
		if live != 3 {
			t.Errorf("%d sessions live, want 3", live)
		}
	})
}
