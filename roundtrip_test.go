package counterfoil_test

import (
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// The five steps: a first visit, a form that comes back, a login, requests by
// cookie and by token, and a logout after which nothing works.
func TestRoundTrip(t *testing.T) { onEachStore(t, testRoundTrip) }

func testRoundTrip(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})

	// 1. The first visit makes a session, a cookie and a CSRF token.
	john := s.visitor()
	anonymous := john.copy()
	if len(john.cookies) != 1 || john.csrf == "" {
		t.Fatalf("the first visit gave cookies %v and csrf %q", john.cookies, john.csrf)
	}

	// 2. The form comes back: without a cookie, with an unknown one, with
	// another session's token it is refused.
	noCookie := s.browser()
	noCookie.csrf = john.csrf
	wantStatus(t, "no cookie", noCookie.post("/login", "user", "john"), 403)

	unknown := s.browser()
	unknown.cookies[counterfoil.LoopbackCookieName] = "AAAA" + john.cookies[counterfoil.LoopbackCookieName][4:]
	unknown.csrf = john.csrf
	wantStatus(t, "unknown cookie", unknown.post("/login", "user", "john"), 403)

	foreign := john.copy()
	foreign.csrf = s.visitor().csrf
	wantStatus(t, "another session's token", foreign.post("/login", "user", "john"), 403)

	// 3. Good credentials: a new id, active, and a token.
	wantStatus(t, "login", john.post("/login", "user", "john"), 303)
	john.open()
	me := john.me()
	if me.User != "john" || me.Token == "" {
		t.Fatalf("after login: %+v", me)
	}
	if john.cookies[counterfoil.LoopbackCookieName] == anonymous.cookies[counterfoil.LoopbackCookieName] {
		t.Error("login kept the anonymous cookie (7.2.4)")
	}

	// 4. Requests by cookie and by token find the session.
	if byToken := decode[who](t, s.bearer(me.Token)); byToken.User != "john" || byToken.ID != me.ID {
		t.Errorf("by token: %+v", byToken)
	}

	// 5. Logout: the cookie is dead, and so is the token.
	before := john.copy()
	wantStatus(t, "logout", john.post("/logout"), 303)
	if len(john.cookies) != 0 {
		t.Errorf("after logout the browser still has %v", john.cookies)
	}
	if me := before.me(); me.User != "" {
		t.Errorf("the old cookie still is %q", me.User)
	}
	wantStatus(t, "a form after logout", before.post("/nothing"), 403)
	wantStatus(t, "the token after logout", s.bearer(me.Token), 401)
}
