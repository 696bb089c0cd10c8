package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestCommandsWhileServing uses each command that ends sessions on the database
// of a running server.
func TestCommandsWhileServing(t *testing.T) {
	site := newSite(t, "john", "jane")
	p := site.serve()
	for _, c := range []struct {
		name    string
		why     string
		command func(john *client) outcome
		jane    bool // her session ends as well
		again   int  // status of John's next login
	}{
		{"session end SID", "7.4.5: an admin can end one session",
			func(john *client) outcome { return site.command("session", "end", john.sid) }, false, 200},
		{"session end --user", "7.4.5, req 48: an admin can end one user's sessions",
			func(*client) outcome { return site.command("session", "end", "--user", "john") }, false, 200},
		{"session end --all", "7.4.5, req 48: an admin can end everyone's sessions",
			func(*client) outcome { return site.command("session", "end", "--all") }, true, 200},
		{"user passwd", "7.4.3, D9: sessions do not survive a new password",
			func(*client) outcome {
				return site.commandWith(password, "user", "passwd", "john", "--password-stdin")
			}, false, 200},
		{"user disable", "7.4.2, req 10: disabling a user ends every session of his, and he can't log in",
			func(*client) outcome { return site.command("user", "disable", "john") }, false, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			byAPI, byForm, jane := p.mustLoginAPI("john"), p.mustLoginForm("john"), p.mustLoginForm("jane")
			p.mustAccept(byAPI, "before")
			site.must(c.command(byAPI))
			ended := []*client{byAPI, byForm}
			if strings.HasSuffix(c.name, "SID") {
				p.mustAccept(byForm, "the other session")
				ended = ended[:1]
			}
			for _, s := range ended {
				p.mustRefuseSoon(s, c.why)
			}
			if c.jane {
				p.mustRefuseSoon(jane, c.why)
			} else {
				p.mustAccept(jane, "somebody else's session")
			}
			if a := p.tryLogin("john", password); a.status != c.again {
				t.Errorf("%s: the next login gets %d, want %d", c.why, a.status, c.again)
			}
		})
	}
	t.Run("user enable", func(t *testing.T) {
		site.must(site.command("user", "enable", "john"))
		p.mustAccept(p.mustLoginAPI("john"), "enabled again")
	})
	t.Run("user delete", func(t *testing.T) {
		john := p.mustLoginForm("john")
		site.must(site.command("user", "delete", "john"))
		p.mustRefuseSoon(john, "7.4.2, req 10: deleting a user ends every session of his")
		if a := p.tryLogin("john", password); a.status != http.StatusUnauthorized {
			t.Errorf("6.3.8: a login of nobody gets %d, want 401 as for a wrong password", a.status)
		}
		site.must(site.commandWith(another, "user", "add", "john", "--password-stdin"))
		p.mustRefuseSoon(john, "a new user of the same name does not get the old one's sessions")
	})
}

// mustRefuseSoon waits until the first door of the client is closed, which the
// bound allows to take a moment after a command of another process. From then
// on all are.
func (p *process) mustRefuseSoon(c *client, why string) {
	p.t.Helper()
	first := c.doors()[0]
	eventually(p.t, why, func() bool { return first.refused(p.must(first.request)) })
	p.mustRefuse(c, why)
}

func (p *process) tryLogin(user, password string) answer {
	p.t.Helper()
	return p.must(request{method: "POST", path: "/v1/login", json: map[string]string{"username": user, "password": password}})
}

// TestRotateKeysWhileServing: 13.3.1, req 51: a key's rotation overlaps.
func TestRotateKeysWhileServing(t *testing.T) {
	site := newSite(t, "john")
	p := site.serve()
	john := p.mustLoginAPI("john")
	keys := func() int {
		return strings.Count(p.must(request{method: "GET", path: "/.well-known/jwks.json"}).body, `"kid"`)
	}
	before := keys()
	site.must(site.command("keys", "rotate"))
	p.mustAccept(john, "a token of the old key, after the rotation")

	p.stop()
	p = site.serve()
	p.mustAccept(john, "a token of the old key, after a restart")
	if after := keys(); after != before+1 {
		t.Errorf("the key set has %d keys after the rotation, want %d: verifiers must see a key before it signs (D14)", after, before+1)
	}
}

// TestTwoServers runs two servers on one file.
func TestTwoServers(t *testing.T) {
	site := newSite(t, "john")
	one := site.serve()
	two := site.serve("--public-url=" + one.url)
	for _, c := range []struct {
		name     string
		why      string
		at, away *process // where the logout is served, and the other server
		login    func(string) *client
		out      func(*client) request
	}{
		{"by token", "G1, req 24: a logout at one server counts at the other within the bound", one, two, one.mustLoginAPI,
			func(c *client) request { return request{method: "DELETE", path: "/v1/session", bearer: c.access} }},
		{"by cookie, at the second server", "G1, req 24: nor does it matter where the login was", two, one, one.mustLoginForm,
			func(c *client) request {
				return request{method: "DELETE", path: "/v1/session", cookie: c.cookie, csrf: c.csrf}
			}},
		{"everywhere", "G1, 7.4.3: so does the end of all of a user's sessions", one, two, two.mustLoginAPI,
			func(c *client) request { return request{method: "DELETE", path: "/v1/sessions", bearer: c.access} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			john := c.login("john")
			c.at.mustAccept(john, "where the logout will be")
			c.away.mustAccept(john, "at the other server")
			if a := c.at.must(c.out(john)); a.status >= 300 {
				t.Fatalf("logout: %d %s", a.status, a.body)
			}
			c.at.mustRefuse(john, "7.4.1: the server that served the logout refuses at once")
			c.away.mustRefuseSoon(john, c.why)
		})
	}
}
