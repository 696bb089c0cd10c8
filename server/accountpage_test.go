package server_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
)

func TestAccountPage(t *testing.T) {
	s := openSite(t)
	c, other := s.loggedIn(), s.loggedIn()
	page := c.get("/account")
	for _, text := range []string{"john", "This session", "End all other sessions", "127.0.0.1", "Go program"} {
		if !strings.Contains(page.body, text) {
			t.Errorf("7.5.2: the account page lacks %q", text)
		}
	}
	id := decode[map[string]any](t, other.get("/v1/session"))["id"].(string)
	if !strings.Contains(page.body, "/account/sessions/"+id+"/end") {
		t.Fatal("7.5.2: the other session has no way to be ended")
	}
	want(t, c.post("/account/sessions/"+id+"/end", c.token("/account")), 303)
	want(t, other.get("/account"), 303)
	if news := c.get("/account").body; !strings.Contains(news, "That session has ended.") {
		t.Error("the news is not shown")
	}
	if news := c.get("/account").body; strings.Contains(news, "That session has ended.") {
		t.Error("the news is shown twice")
	}
	again := c.post("/account/sessions/"+id+"/end", c.token("/account"))
	want(t, again, 404)
	if !strings.Contains(again.body, "had ended before") || !strings.Contains(again.body, "This session") {
		t.Error("who ends a session that is gone does not see those that he has")
	}
	want(t, c.post("/account/sessions/nonsense/end", c.token("/account")), 404)

	mine := decode[map[string]any](t, c.get("/v1/session"))["id"].(string)
	answer := c.post("/account/sessions/"+mine+"/end", c.token("/account"))
	want(t, answer, 303)
	if answer.Header.Get("Location") != "/login" || c.cookie() != "" {
		t.Error("ending the session at hand is a logout")
	}
}

// TestOthersSessionsAreTheirs: nobody ends what is not his (8.2.2).
func TestOthersSessionsAreTheirs(t *testing.T) {
	s := openSite(t)
	_, err := s.accounts.Add(t.Context(), "jane", another)
	check(t, err)
	jane := s.newClient()
	want(t, jane.login("jane", another), 303)
	c := s.loggedIn()
	id := decode[map[string]any](t, jane.get("/v1/session"))["id"].(string)
	want(t, c.post("/account/sessions/"+id+"/end", c.token("/account")), 404)
	g := s.apiLogin()
	want(t, c.do("DELETE", "/v1/sessions/"+id, bearer(g.AccessToken), ""), 404)
	want(t, jane.get("/account"), 200)
}

// TestChangePassword: it asks for the old one, keeps the session at hand under
// a new id, and ends the others (7.2.4, 7.4.3, 7.5.1, D9).
func TestChangePassword(t *testing.T) {
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		s := openSite(t, use)
		c, other, api := s.loggedIn(), s.loggedIn(), s.apiLogin()
		before := c.cookie()
		change := func(old, new string) reply {
			return c.post("/account/password", c.token("/account"), "old_password", old, "new_password", new)
		}
		want(t, change("wrong", another), 401)
		want(t, change(password, "short"), 422)
		want(t, change(password, password), 422)
		want(t, change(password, "passwordpassword"), 422)
		want(t, other.get("/account"), 200)

		answer := change(password, another)
		want(t, answer, 303)
		if location := answer.Header.Get("Location"); location != "/account" {
			t.Errorf("it leads to %q", location)
		}
		if c.cookie() == before || c.cookie() == "" {
			t.Error("7.2.4: re-authentication gives a new id")
		}
		want(t, s.withCookie(before).get("/account"), 303)
		want(t, other.get("/account"), 303)
		want(t, refresh(other, api.RefreshToken), 400)
		if page := c.get("/account"); page.StatusCode != 200 || !strings.Contains(page.body, "Your password is changed") {
			t.Errorf("the session at hand goes on: %s", page.Status)
		}
		due, err := s.accounts.PendingCutoffs(t.Context())
		check(t, err)
		if len(due) != 0 {
			t.Error("the debt stands, and would end the session at hand")
		}
		want(t, s.newClient().login("john", password), 401)
		want(t, s.newClient().login("john", another), 303)
	})
}

// TestChangedUsers: who is disabled, deleted or given another password loses
// every session, though another process did it and died (7.4.2, req 10).
func TestChangedUsers(t *testing.T) {
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		s := openSite(t, use)
		var after []func()
		for why, change := range map[string]func(ctx context.Context, id string) (account.Cutoff, error){
			"disabled": s.accounts.Disable,
			"deleted":  s.accounts.Delete,
			"password": func(ctx context.Context, id string) (account.Cutoff, error) {
				return s.accounts.SetPassword(ctx, id, password+" more")
			},
		} {
			user, err := s.accounts.Add(t.Context(), "user-"+why, another)
			check(t, err)
			c := s.newClient()
			want(t, c.login(user.Name, another), 303)
			api := decode[grant](t, s.newClient().postJSON("/v1/login", map[string]string{"username": user.Name, "password": another}))
			want(t, s.withCookie("").do("GET", "/v1/session", bearer(api.AccessToken), ""), 200)

			_, err = change(t.Context(), user.ID)
			check(t, err)
			want(t, s.newClient().login(user.Name, another), 401) // at once
			after = append(after, func() {
				waitFor(t, func() bool { return c.get("/v1/session").StatusCode == 401 })
				want(t, s.withCookie("").do("GET", "/v1/session", bearer(api.AccessToken), ""), 401)
				want(t, refresh(c, api.RefreshToken), 400)
			})
		}
		for _, sessionsHaveEnded := range after {
			sessionsHaveEnded()
		}
		s.secrets.add(password + " more")
	})
}

// TestDebtsAreSettledAtTheStart: what was due while no server ran is done
// before the first request is answered.
func TestDebtsAreSettledAtTheStart(t *testing.T) {
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		var again server.Config
		s := openSite(t, use, func(c *server.Config) { again = *c })
		cookie := s.loggedIn().cookie()
		check(t, s.server.Close()) // as if the process had ended
		_, err := s.accounts.Disable(t.Context(), s.john.ID)
		check(t, err)
		next, err := server.New(again)
		check(t, err)
		s.server = next
		due, err := s.accounts.PendingCutoffs(t.Context())
		check(t, err)
		if len(due) != 0 {
			t.Errorf("%d debts stand", len(due))
		}
		r := httptest.NewRequest("GET", "/v1/session", nil)
		r.Header.Set("Cookie", cookieName+"="+cookie)
		w := httptest.NewRecorder()
		next.Handler().ServeHTTP(w, r)
		if w.Code != 401 {
			t.Errorf("the first request after the start is answered with %d", w.Code)
		}
	})
}

// waitFor waits for what a running server does by itself, for at most ten
// seconds. The server's clock is the real one here: so is its listener.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatal("it did not happen within 10 seconds")
}
