package server_test

import (
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/store"
)

// What works once has worked: nobody's logout, no tidying up, no other server
// and none that was started anew makes it good again.
func TestSpentStaysSpent(t *testing.T) {
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		var sessions store.Store
		s := openSite(t, use, func(c *server.Config) { sessions = c.Sessions.Store })
		start := func() *site {
			return openSite(t, use, func(c *server.Config) { c.Accounts, c.Sessions.PublicURL = s.accounts, s.url })
		}
		servers := map[string]*site{"the server": s, "another server": start()}

		form := s.newClient()
		token, cookie := form.token("/login"), form.cookie()
		want(t, form.post("/login", token, "username", "john", "password", password), 303)
		grant := s.apiLogin()
		next := decode[struct {
			RefreshToken string `json:"refresh_token"`
		}](t, refresh(s.newClient(), grant.RefreshToken))
		want(t, refresh(s.newClient(), next.RefreshToken), 200)
		assertion := s.addSigner(t, sessions, "signs").assertion(s.url)
		asked := append(assertion, "token", grant.AccessToken)
		want(t, s.ask("/v1/introspect", nil, asked...), 200)

		ctx := t.Context()
		for _, after := range []struct {
			what string
			do   func() error
		}{
			{"nothing else", func() error { return nil }},
			{"all of John's sessions were ended", func() error { _, err := sessions.EndUser(ctx, s.john.ID, store.SID{}, time.Hour); return err }},
			{"all sessions were ended", func() error { _, err := sessions.EndAll(ctx, time.Hour); return err }},
			{"the store was tidied up", func() error { _, err := sessions.Purge(ctx, 1000); return err }},
			{"a server was started", func() error { servers["a new server"] = start(); return nil }},
		} {
			check(t, after.do())
			for which, n := range servers {
				for what, c := range map[string]struct {
					answer reply
					want   int
				}{
					"a login form":         {n.withCookie(cookie).post("/login", token, "username", "john", "password", password), 403},
					"a refresh token":      {refresh(n.newClient(), grant.RefreshToken), 400},
					"a client's assertion": {n.ask("/v1/introspect", nil, asked...), 401},
				} {
					if c.answer.StatusCode != c.want {
						t.Errorf("after %s %s takes %s once more: %s", after.what, which, what, c.answer.Status)
					}
				}
			}
		}
	})
}
