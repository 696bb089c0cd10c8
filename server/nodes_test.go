package server_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

// G2: "?wait=everywhere returns when no node accepts it any more", and whoever
// misspells it is told, since he would believe that it did.
func TestLogoutEverywhere(t *testing.T) {
	s := openSite(t)
	api := s.withCookie("")
	for query, status := range map[string]int{
		"":                                   204,
		"?wait=everywhere":                   204,
		"?wait=":                             400,
		"?wait=here":                         400,
		"?wait=everywhere&wait=everywhere":   400,
		"?wait=everywhere&unknown=parameter": 204,
	} {
		g := s.apiLogin()
		want(t, api.do("DELETE", "/v1/session"+query, bearer(g.AccessToken), ""), status)
		after := 401
		if status == 400 {
			after = 200 // nothing was done
		}
		want(t, api.do("GET", "/v1/session", bearer(g.AccessToken), ""), after)
	}
}

// Only the logout of the session at hand can wait: whoever asks another for it is
// told, and nothing is done.
func TestOnlyTheOwnLogoutWaits(t *testing.T) {
	s := openSite(t)
	api := s.withCookie("")
	g, other := s.apiLogin(), s.apiLogin()
	for _, path := range []string{"/v1/sessions?wait=everywhere", "/v1/sessions?others=true&wait=everywhere", "/v1/sessions/" + other.Session["id"].(string) + "?wait=everywhere"} {
		want(t, api.do("DELETE", path, bearer(g.AccessToken), ""), 400)
		want(t, api.do("GET", "/v1/session", bearer(g.AccessToken), ""), 200)
		want(t, api.do("GET", "/v1/session", bearer(other.AccessToken), ""), 200)
	}
	want(t, api.do("DELETE", "/v1/sessions/"+g.Session["id"].(string)+"?wait=everywhere", bearer(g.AccessToken), ""), 204)
}

// readyz tells how fresh the view of ended sessions is.
func TestReadiness(t *testing.T) {
	type view struct {
		Position *uint64
		Age      *float64 `json:"age_ms"`
		Left     *float64 `json:"lease_left_ms"`
		Lag      *float64 `json:"lag_ms"`
	}
	type ready struct {
		Ready bool
		View  *view
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), sqlite.Config{})
	check(t, err)
	t.Cleanup(func() { check(t, st.Close()) })
	s := openSite(t, func(c *server.Config) { c.Sessions.Store = st })
	api := s.withCookie("")
	g := s.apiLogin()
	want(t, api.do("DELETE", "/v1/session", bearer(g.AccessToken), ""), 204)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		r := decode[ready](t, s.newClient().get("/readyz"))
		if !r.Ready || r.View == nil || r.View.Age == nil || *r.View.Left <= 0 || r.View.Lag == nil {
			t.Fatalf("with SQLite: %+v", r)
		}
		if *r.View.Position == 1 {
			break // the logout was followed
		}
		if time.Now().After(end) {
			t.Fatalf("the view stays at %d", *r.View.Position)
		}
	}
}
