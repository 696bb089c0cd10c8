package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
)

// stores are the flags with which many nodes share one store.
func stores(t *testing.T) map[string][]string {
	return map[string][]string{
		"PostgreSQL": {"--store=" + servers.Postgres(t)},
		"Redis":      {"--store=" + servers.StartRedis(t, nil).URL(), "--accounts=" + servers.Postgres(t)},
	}
}

// TestNodes runs two servers on one store, as on two machines.
func TestNodes(t *testing.T) {
	for name, flags := range stores(t) {
		t.Run(name, func(t *testing.T) {
			site := newSite(t)
			site.must(site.commandWith(password, append(flags, "user", "add", "john", "--password-stdin")...))
			one := site.serve(flags...)
			two := site.serve(append(flags, "--public-url="+one.url)...)

			john := one.mustLoginAPI("john")
			two.mustAccept(john, "a login at one node is known at the other")
			if a := one.must(request{method: "DELETE", path: "/v1/session", bearer: john.access}); a.status != http.StatusNoContent {
				t.Fatalf("logout: %d %s", a.status, a.body)
			}
			one.mustRefuse(john, "G1: the node that served the logout refuses at once")
			two.mustRefuseSoon(john, "G1: and the other within the bound")

			john = two.mustLoginForm("john")
			one.mustAccept(john, "by cookie, too")
			began := time.Now()
			if a := one.must(request{method: "DELETE", path: "/v1/session?wait=everywhere", cookie: john.cookie, csrf: john.csrf}); a.status != http.StatusNoContent {
				t.Fatalf("logout everywhere: %d %s", a.status, a.body)
			}
			two.mustRefuse(john, "G2: a check that begins after it has returned")
			t.Logf("the logout everywhere took %v", time.Since(began))

			// A user who is disabled at the command line is out everywhere.
			john = one.mustLoginAPI("john")
			two.mustAccept(john, "before")
			site.must(site.command(append(flags, "user", "disable", "john")...))
			one.mustRefuseSoon(john, "7.4.2, at one node")
			two.mustRefuseSoon(john, "7.4.2, at the other")
		})
	}
}

// TestRollingRestart replaces two nodes one after the other while a user works:
// he stays logged in, and what he logged out of stays so.
func TestRollingRestart(t *testing.T) {
	for name, flags := range stores(t) {
		t.Run(name, func(t *testing.T) {
			site := newSite(t)
			site.must(site.commandWith(password, append(flags, "user", "add", "john", "--password-stdin")...))
			one := site.serve(flags...)
			flags = append(flags, "--public-url="+one.url)
			two := site.serve(flags...)
			api, browser, gone := one.mustLoginAPI("john"), two.mustLoginForm("john"), one.mustLoginAPI("john")
			if a := two.must(request{method: "DELETE", path: "/v1/session", bearer: gone.access}); a.status != http.StatusNoContent {
				t.Fatalf("logout: %d %s", a.status, a.body)
			}
			for round := range 2 {
				one.stop()
				two.mustAccept(api, "while the first node is away")
				two.mustAccept(browser, "while the first node is away, by cookie")
				one = site.serve(append(flags, "--listen="+strings.TrimPrefix(one.url, "http://"))...)
				two.stop()
				one.mustAccept(api, "at the node that has just started")
				one.mustAccept(browser, "at the node that has just started, by cookie")
				one.mustRefuse(gone, "the node that has just started knows of the logout")
				two = site.serve(append(flags, "--listen="+strings.TrimPrefix(two.url, "http://"))...)
				two.mustRefuse(gone, "and so does the next")
				if a := two.must(request{method: "GET", path: "/readyz"}); a.status != http.StatusOK || !strings.Contains(a.body, `"lease_left_ms"`) {
					t.Errorf("round %d: readyz: %d %s", round, a.status, a.body)
				}
			}
		})
	}
}
