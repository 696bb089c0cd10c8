package server_test

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/storetest"
)

// TestNoEnumeration: whoever guesses can't tell which half was wrong (6.3.8,
// req 36).
func TestNoEnumeration(t *testing.T) {
	s := openSite(t)
	jane, err := s.accounts.Add(t.Context(), "jane", another)
	check(t, err)
	_, err = s.accounts.Disable(t.Context(), jane.ID)
	check(t, err)

	tries := []struct{ why, name, password string }{
		{"wrong password", "john", "wrong"},
		{"unknown user", "mary", "wrong"},
		{"disabled user, right password", "jane", another},
		{"disabled user, wrong password", "jane", "wrong"},
	}
	byPage := func(name, password string) reply { return s.newClient().login(name, password) }
	byAPI := func(name, password string) reply {
		return s.newClient().postJSON("/v1/login", map[string]string{"username": name, "password": password})
	}
	for way, login := range map[string]func(name, password string) reply{"page": byPage, "API": byAPI} {
		first := login(tries[0].name, tries[0].password)
		want(t, first, 401)
		for _, try := range tries[1:] {
			answer := login(try.name, try.password)
			if got, want := sameFor(answer, try.name), sameFor(first, tries[0].name); got != want {
				t.Errorf("%s: %s differs from %s:\n%s\n---\n%s", way, try.why, tries[0].why, got, want)
			}
		}
	}
}

var changing = regexp.MustCompile(`name="csrf_token" value="[^"]+"|nonce[-=]"?[A-Z0-9]+|Date: .*|value="[a-z]{4}"`)

// sameFor is all of an answer but what differs each time, and the name.
func sameFor(r reply, name string) string {
	var b strings.Builder
	b.WriteString(r.Status + "\n")
	r.Header.Write(&b)
	b.WriteString(r.body)
	return strings.ReplaceAll(changing.ReplaceAllString(b.String(), ""), name, "NAME")
}

func TestThrottle(t *testing.T) {
	s := openSite(t)
	known := s.loggedIn() // a device that the user is known by
	stranger := s.newClient()
	stranger.header.Set("X-Forwarded-For", "192.0.2.7") // not believed
	for range 5 {
		want(t, stranger.login("mary", "wrong"), 401)
	}
	page := stranger.login("mary", "wrong")
	want(t, page, 429)
	api := stranger.postJSON("/v1/login", map[string]string{"username": "mary", "password": "wrong"})
	want(t, api, 429)
	for _, answer := range []reply{page, api} {
		if wait := answer.Header.Get("Retry-After"); wait != "1" {
			t.Errorf("6.3.1: Retry-After is %q: the first wait takes a second", wait)
		}
	}
	if kind := api.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("Content-Type is %q", kind)
	}
	want(t, known.login("john", password), 303) // 6.1.1: strangers lock nobody out
}

// TestKnownDevice: when strangers have used up the tries at a user's name, he
// still gets in with a browser that he has logged in with before (6.1.1).
func TestKnownDevice(t *testing.T) {
	s := openSite(t, func(c *server.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	from := func(c *client, address string) *client {
		c.header.Set("X-Forwarded-For", address)
		return c
	}
	known := from(s.newClient(), "192.0.2.1")
	want(t, known.login("john", password), 303)
	for range 5 {
		want(t, from(s.newClient(), "203.0.113.1").login("john", "wrong"), 401)
	}
	want(t, from(s.newClient(), "198.51.100.1").login("john", password), 429)
	want(t, from(known, "198.51.100.1").login("john", password), 303)
	want(t, from(s.newClient(), "192.0.2.1").login("john", password), 303) // and from where he did
}

// TestOvertakenLogin: who is disabled, or changes his password, while a login
// is under way is not logged in by it (7.4.2, D9).
func TestOvertakenLogin(t *testing.T) {
	inner := memory.New(memory.Config{})
	var john atomic.Value // his id, once his sessions are to end before each Create
	s := openSite(t, func(c *server.Config) {
		c.Sessions.Store = storetest.Faulty{Store: inner, Fault: func(method string) storetest.Fault {
			if id, ok := john.Load().(string); ok && method == "Create" {
				_, err := inner.EndUser(context.Background(), id, store.SID{}, time.Minute)
				return storetest.Fault{Err: err}
			}
			return storetest.Fault{}
		}}
	})
	c := s.newClient()
	token := c.token("/login")
	john.Store(s.john.ID)
	want(t, c.post("/login", token, "username", "john", "password", password), 401)
	want(t, c.postJSON("/v1/login", map[string]string{"username": "john", "password": password}), 401)
	want(t, c.get("/account"), 303)
}

// TestNext: only pages of this site are led to (3.7.2, req 38).
func TestNext(t *testing.T) {
	s := openSite(t)
	for next, location := range map[string]string{
		"/account":             "/account",
		"/account?tab=devices": "/account?tab=devices",
		"https://evil.test/":   "/account",
		"//evil.test":          "/account",
		`/\evil.test`:          "/account",
	} {
		c := s.newClient()
		form := c.get("/login?next=" + strings.NewReplacer(":", "%3a", "/", "%2f", "?", "%3f", "=", "%3d", `\`, "%5c").Replace(next))
		if strings.Contains(form.body, "evil") {
			t.Errorf("next=%q stands in the form", next)
		}
		answer := c.post("/login", tokenField.FindStringSubmatch(form.body)[1], "username", "john", "password", password, "next", next)
		want(t, answer, 303)
		if got := answer.Header.Get("Location"); got != location {
			t.Errorf("next=%q leads to %q, want %q", next, got, location)
		}
	}
	asked := s.newClient().get("/account?x=1")
	want(t, asked, 303)
	if got := asked.Header.Get("Location"); got != "/login?next=%2Faccount%3Fx%3D1" {
		t.Errorf("a visitor at /account is led to %q", got)
	}
}

// TestRemember: by default the cookie ends with the browser (req 4).
func TestRemember(t *testing.T) {
	s := openSite(t)
	for remember, days := range map[string]int{"": 0, "1": 30} {
		answer := s.newClient().login("john", password, "remember", remember)
		want(t, answer, 303)
		for _, cookie := range answer.Cookies() {
			if cookie.Name == cookieName && cookie.MaxAge != days*24*60*60 {
				t.Errorf("remember=%q: Max-Age %d, want %d days", remember, cookie.MaxAge, days)
			}
		}
	}
}

// TestNamesAreEscaped: what was typed comes back as text.
func TestNamesAreEscaped(t *testing.T) {
	s := openSite(t)
	answer := s.newClient().login(`"><script>alert(1)</script>`, "wrong")
	want(t, answer, 401)
	if strings.Contains(answer.body, "<script") {
		t.Error("1.2.1: the name is markup")
	}
}

// TestAudit: every event of an authentication is logged, on one line whatever
// the client sends, and without what was typed by mistake (16.3.1, 16.4.1).
func TestAudit(t *testing.T) {
	s := openSite(t)
	typed := "my password, in the wrong field\nlevel=INFO msg=audit event=login name=root"
	want(t, s.newClient().login(typed, "wrong"), 401)
	c := s.loggedIn()
	want(t, c.post("/logout", "wrong"), 403)
	want(t, c.post("/logout", c.token("/account")), 303)
	g := s.apiLogin()
	want(t, refresh(c, g.RefreshToken), 200)
	want(t, refresh(c, g.RefreshToken[1:]), 400)
	log := s.log.String()
	for _, event := range []string{"login_failed", "login", "request_refused", "logout", "token_issued", "token_refreshed"} {
		if !regexp.MustCompile(`(?m)^time=\S+ level=\w+ msg=audit event=` + event + ` `).MatchString(log) {
			t.Errorf("16.3.1: the log lacks the event %s:\n%s", event, log)
		}
	}
	if strings.Contains(log, "name=root") || strings.Contains(log, "wrong field") {
		t.Errorf("16.4.1: the log holds what a visitor typed:\n%s", log)
	}
}

// TestStoreHoldsNoSecrets: what is read out of the store opens nothing (req 7).
func TestStoreHoldsNoSecrets(t *testing.T) {
	var sessions store.Store
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		s := openSite(t, use, func(c *server.Config) { sessions = c.Sessions.Store })
		s.loggedIn()
		s.apiLogin()
		records, err := sessions.List(t.Context(), store.Query{})
		check(t, err)
		if len(records) < 2 {
			t.Fatalf("%d sessions, want a browser's and a client's", len(records))
		}
		for _, r := range records {
			for _, made := range []string{r.ID.String(), string(r.Secret[:]), r.User} {
				want(t, s.withCookie("").do("GET", "/v1/session", bearer(url64(made)), ""), 401)
				want(t, s.withCookie(url64(made)).get("/v1/session"), 401)
			}
			want(t, s.withCookie(url64(string(slices.Concat(r.ID[:], r.Secret[:])))).get("/v1/session"), 401)
		}
	})
}

// TestLoginAnswersSetTheSameCookies: a failed login sets no cookie at all, so
// the visitor's session goes on.
func TestLoginAnswersSetTheSameCookies(t *testing.T) {
	s := openSite(t)
	c := s.newClient()
	failed := c.login("john", "wrong")
	want(t, failed, 401)
	if len(failed.Header["Set-Cookie"]) != 0 {
		t.Errorf("a failed login sets %q", failed.Header["Set-Cookie"])
	}
	var names []string
	for _, cookie := range c.login("john", password).Cookies() {
		names = append(names, cookie.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{cookieName, cookieName + "-device"}) {
		t.Errorf("a login sets %q", names)
	}
	api := s.newClient().postJSON("/v1/login", map[string]string{"username": "john", "password": password})
	if len(api.Header["Set-Cookie"]) != 0 {
		t.Errorf("a login of the API sets %q", api.Header["Set-Cookie"])
	}
}
