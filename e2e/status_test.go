package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"
)

// TestStatusList: npm's @sd-jwt/jwt-status-list, which nobody here wrote, finds in
// the lists of one server who has logged out at the other
// (draft-ietf-oauth-status-list-20).
func TestStatusList(t *testing.T) {
	library := npmPackages(t, "@sd-jwt/jwt-status-list@0.19.0")
	source, err := os.ReadFile("testdata/status.mjs")
	check(t, err)
	s := newSite(t, "john")
	one := s.serve("--status-list")
	two := s.serve("--status-list", "--public-url="+one.url)

	type told struct {
		Idx, Status    int
		URI, Typ, Type string
		Claims         struct {
			Iss, Sub      string
			Iat, Exp, TTL int64
		}
	}
	look := func(server *process, access string) (found told) {
		t.Helper()
		out := script(t, library, string(source), "SERVER="+server.url, "ACCESS="+access)
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return found
	}
	const valid, invalid = 0, 1 // section 7.1
	gone, stays, other := one.mustLoginAPI("john"), one.mustLoginAPI("john"), two.mustLoginAPI("john")
	for name, c := range map[string]*client{"gone": gone, "stays": stays, "other": other} {
		for _, server := range []*process{one, two} {
			found := look(server, c.access)
			if found.Status != valid || found.Typ != "statuslist+jwt" || found.Type != "application/statuslist+jwt" {
				t.Errorf("%s: %+v", name, found)
			}
			if k := found.Claims; k.Iss != one.url || k.Sub != found.URI || k.TTL != 5 || k.Exp != k.Iat+60 {
				t.Errorf("%s: claims %+v", name, k)
			}
		}
	}
	if a := one.must(request{method: "DELETE", path: "/v1/session", bearer: gone.access}); a.status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", a.status, a.body)
	}
	time.Sleep(2 * time.Second) // --bound
	for _, server := range []*process{one, two} {
		for name, c := range map[string]struct {
			*client
			want int
		}{"gone": {gone, invalid}, "stays": {stays, valid}, "other": {other, valid}} {
			if found := look(server, c.access); found.Status != c.want {
				t.Errorf("after the logout, %s: %d, want %d", name, found.Status, c.want)
			}
		}
	}
	s.must(s.command("session", "end", "--all"))
	time.Sleep(2 * time.Second)
	if found := look(two, stays.access); found.Status != invalid {
		t.Errorf("after the end of everybody's sessions: %d", found.Status)
	}
	if found := look(one, two.mustLoginAPI("john").access); found.Status != valid {
		t.Errorf("a login after it: %d", found.Status)
	}
}
