package counterfoil_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// 7.2.4, D10: a client can't choose its id, and a login always makes a new one.
func TestFixation(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	attacker := s.visitor()
	victim := attacker.copy() // the attacker planted his own cookie
	wantStatus(t, "login", victim.post("/login", "user", "john"), 303)
	if victim.cookies[cookieName] == attacker.cookies[cookieName] {
		t.Fatal("login adopted the planted cookie")
	}
	if me := attacker.me(); me.ID != "" {
		t.Errorf("the planted session still lives: %+v", me)
	}

	invented := s.browser()
	invented.cookies[cookieName] = victim.cookies[cookieName][:22] + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	planted := invented.cookies[cookieName]
	invented.open()
	if invented.cookies[cookieName] == planted {
		t.Error("an invented cookie was adopted")
	}

	// Re-authentication rotates, too.
	first := victim.copy()
	victim.open()
	wantStatus(t, "second login", victim.post("/login", "user", "john"), 303)
	if first.me().User != "" {
		t.Error("the session from before the second login still lives")
	}
}

func TestLoginRefusals(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	in := func(ctx context.Context) error { return s.Login(ctx, counterfoil.Login{User: "john"}) }
	call := func(r *http.Request, do func(context.Context) error) (err error) {
		s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { err = do(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
		return err
	}
	get := func() *http.Request { return s.visitor().request("GET", "/", "") }
	bearer := func() *http.Request {
		r := httptest.NewRequest("POST", publicURL+"/", nil)
		r.Header.Set("Authorization", "Bearer "+s.user("john").me().Token)
		return r
	}
	for _, c := range []struct {
		why  string
		got  error
		want error
	}{
		{"outside of Handler", in(t.Context()), counterfoil.ErrNoHandler},
		{"req 17: a GET proves nothing", call(get(), in), counterfoil.ErrUnverified},
		{"7.6.2: a GET may be vouched for", call(get(), func(ctx context.Context) error {
			return s.Login(ctx, counterfoil.Login{User: "john", InsecureAllowGET: true})
		}), nil},
		{"without a session", call(s.browser().request("GET", "/", ""), in), counterfoil.ErrNoSession},
		{"on a bearer token", call(bearer(), in), counterfoil.ErrNoSession},
		{"rotation on a bearer token", call(bearer(), s.Rotate), counterfoil.ErrNoSession},
		{"rotation without a session", call(s.browser().request("GET", "/", ""), s.Rotate), counterfoil.ErrNoSession},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: error %v, want %v", c.why, c.got, c.want)
		}
	}
	for _, l := range []counterfoil.Login{{}, {User: "x", Methods: []string{"a b"}}, {User: "x", Methods: []string{""}}} {
		if err := call(get(), func(ctx context.Context) error { return s.Login(ctx, l) }); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
	tooLong := counterfoil.Login{User: string(make([]byte, store.MaxUser+1)), InsecureAllowGET: true}
	if err := call(get(), func(ctx context.Context) error { return s.Login(ctx, tooLong) }); !errors.Is(err, counterfoil.ErrTooLarge) {
		t.Errorf("a long user id: %v", err)
	}
}

// What a visitor has put into his session is there after the login, and does
// not pass to another user.
func TestLoginKeepsTheVisitorsValues(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.visitor()
	b.within(func(ctx context.Context) { counter.Set(ctx, 3) })
	b.post("/login", "user", "john")
	b.open()
	if got := b.me().Counter; got != 3 {
		t.Errorf("after login as john the value is %d, want 3", got)
	}
	b.post("/login", "user", "john")
	b.open()
	if got := b.me().Counter; got != 3 {
		t.Errorf("after john's second login the value is %d, want 3", got)
	}
	b.post("/login", "user", "mallory")
	if got := b.me().Counter; got != 0 {
		t.Errorf("mallory got john's value %d", got)
	}
}

func TestRotateKeepsWhoAndUntilWhen(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	b.within(func(ctx context.Context) { counter.Set(ctx, 3) })
	old := b.copy()
	var before, after *counterfoil.Session
	b.within(func(ctx context.Context) {
		before = counterfoil.FromContext(ctx)
		if err := s.Rotate(ctx); err != nil {
			t.Error(err)
		}
		after = counterfoil.FromContext(ctx)
	})
	if before.ID() == after.ID() || !before.Deadline().Equal(after.Deadline()) || !before.AuthTime().Equal(after.AuthTime()) || after.User() != "john" {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if me := b.me(); me.ID != after.ID() || me.Counter != 3 {
		t.Errorf("the new cookie is %+v", me)
	}
	if old.me().ID != "" {
		t.Error("the old cookie still works")
	}
}

// 7.1.2: the limit holds under parallel logins, and the oldest go.
func TestLimitOfSessions(t *testing.T) { onEachStore(t, testLimitOfSessions) }

func testLimitOfSessions(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st, MaxSessions: 5, Bound: -1})
	oldest := s.user("john")
	browsers := make([]*browser, 40)
	for i := range browsers {
		browsers[i] = s.visitor()
	}
	var logins sync.WaitGroup
	for _, b := range browsers {
		logins.Go(func() { wantStatus(t, "login", b.post("/login", "user", "john"), 303) })
	}
	logins.Wait()
	live := 0
	for _, b := range browsers {
		if b.me().User == "john" {
			live++
		}
	}
	if live != 5 || oldest.me().User != "" {
		t.Errorf("%d sessions live, want 5; the oldest is %q", live, oldest.me().User)
	}
	if list, err := s.Sessions(t.Context(), "john"); err != nil || len(list) != 5 {
		t.Errorf("the list has %d, %v", len(list), err)
	}
}

func TestNoLimitOfSessions(t *testing.T) {
	s := newSite(t, counterfoil.Config{MaxSessions: -1})
	for range 120 {
		s.user("john")
	}
	if list, err := s.Sessions(t.Context(), "john"); err != nil || len(list) != 120 {
		t.Errorf("the list has %d, %v", len(list), err)
	}
}

// D9: a login that began before all sessions were ended does not count.
func TestLoginIsSuperseded(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.visitor()
	b.within(func(ctx context.Context) {
		since, err := s.Generation(ctx, "john")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.EndUser(ctx, "john"); err != nil { // his password was changed
			t.Fatal(err)
		}
		err = s.Login(ctx, counterfoil.Login{User: "john", Since: since, InsecureAllowGET: true})
		if !errors.Is(err, counterfoil.ErrSuperseded) {
			t.Errorf("error %v", err)
		}
		if _, err := s.LoginClient(ctx, counterfoil.Login{User: "john", Since: since}, counterfoil.Client{}); !errors.Is(err, counterfoil.ErrSuperseded) {
			t.Errorf("client: error %v", err)
		}
	})
	if b.me().User != "" {
		t.Error("he is logged in")
	}
}

// One login form makes one session, however often it is sent at once.
func TestParallelLoginsFromOneForm(t *testing.T) { onEachStore(t, testParallelLoginsFromOneForm) }

func testParallelLoginsFromOneForm(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	b := s.visitor()
	var done sync.WaitGroup
	results := make([]int, 16)
	for i := range results {
		done.Go(func() { results[i] = b.copy().post("/login", "user", "john").StatusCode })
	}
	done.Wait()
	won := 0
	for _, status := range results {
		switch status {
		case 303:
			won++
		case 401, 403:
		default:
			t.Errorf("status %d", status)
		}
	}
	if list, _ := s.Sessions(t.Context(), "john"); won != 1 || len(list) != 1 {
		t.Errorf("%d logins won, %d sessions live", won, len(list))
	}
}

// An API client is a session like any other: it counts for the limit, and keeps
// no cookie that could outlive a browser.
func TestLoginClient(t *testing.T) { synctest.Test(t, testLoginClient) }

func testLoginClient(t *testing.T) {
	s := newSite(t, counterfoil.Config{MaxSessions: 2})
	first := s.client("john")
	time.Sleep(time.Millisecond) // the precision by which the oldest is found
	for range 2 {
		grant, err := s.LoginClient(t.Context(), counterfoil.Login{User: "john", Remember: true}, counterfoil.Client{})
		if err != nil {
			t.Fatal(err)
		}
		if grant.Session.Persistent() || grant.Session.HasCookie() {
			t.Error("it has a cookie that is kept")
		}
		if life := grant.Session.Deadline().Sub(grant.Session.Created()); life != 30*24*time.Hour {
			t.Errorf("remembered, it lives for %v", life)
		}
	}
	if list, err := s.Sessions(t.Context(), "john"); err != nil || len(list) != 2 {
		t.Errorf("%d sessions live, %v; want 2", len(list), err)
	}
	s.wantDead("7.1.2: the oldest went", first.RefreshToken)
}

// What can't stand in a token makes no session either.
func TestLoginInputIsChecked(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	for _, c := range []struct {
		why   string
		login counterfoil.Login
	}{
		{"a user is somebody", counterfoil.Login{Name: "john"}},
		{"the user is UTF-8", counterfoil.Login{User: "\xff"}},
		{"the name is UTF-8", counterfoil.Login{User: "john", Name: "\xff"}},
		{"methods are UTF-8", counterfoil.Login{User: "john", Methods: []string{"\xff"}}},
		{"a method is one word", counterfoil.Login{User: "john", Methods: []string{"pwd otp"}}},
		{"no method is empty", counterfoil.Login{User: "john", Methods: []string{""}}},
		{"16 methods are enough", counterfoil.Login{User: "john", Methods: slices.Repeat([]string{"m"}, 17)}},
		{"a user has 256 bytes at most", counterfoil.Login{User: strings.Repeat("x", store.MaxUser+1)}},
	} {
		if _, err := s.LoginClient(t.Context(), c.login, counterfoil.Client{}); err == nil {
			t.Errorf("%s: a client was logged in", c.why)
		}
		c.login.InsecureAllowGET = true
		s.visitor().within(func(ctx context.Context) {
			if err := s.Login(ctx, c.login); err == nil {
				t.Errorf("%s: a browser was logged in", c.why)
			}
		})
		if list, err := s.Sessions(t.Context(), c.login.User); err != nil || len(list) != 0 {
			t.Errorf("%s: %d sessions live, %v", c.why, len(list), err)
		}
	}
}

// The client chooses his User-Agent: whatever it is, he can log in, and what is
// kept is text of a bounded length.
func TestClientsTextIsCut(t *testing.T) {
	for _, c := range []struct{ why, agent, want string }{
		{"short text stays", "Mozilla/5.0 é", "Mozilla/5.0 é"},
		{"long text is cut", strings.Repeat("x", 5000), strings.Repeat("x", store.MaxText)},
		{"and not within a character", "x" + strings.Repeat("é", store.MaxText), "x" + strings.Repeat("é", store.MaxText/2-1)},
		{"what is no text goes", "a\xffb\xc3", "ab"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := newSite(t, counterfoil.Config{ClientAddress: func(*http.Request) string { return c.agent }})
			b := s.visitor()
			r := b.request("POST", "/login", "user=john&"+counterfoil.CSRFFieldName+"="+b.csrf)
			r.Header.Set("User-Agent", c.agent)
			wantStatus(t, "login", b.do(r), 303)
			if _, err := s.LoginClient(t.Context(), counterfoil.Login{User: "john"}, counterfoil.Client{UserAgent: c.agent, Address: c.agent}); err != nil {
				t.Error(err)
			}
			list, err := s.Sessions(t.Context(), "john")
			if err != nil || len(list) != 2 {
				t.Fatalf("%d sessions, %v", len(list), err)
			}
			for _, session := range list {
				if session.UserAgent() != c.want || session.Address() != c.want {
					t.Errorf("user agent %q, address %q, want %q", session.UserAgent(), session.Address(), c.want)
				}
			}
		})
	}
}

// The idle time-out that is kept is one that can happen: throttles count in it.
func TestIdleTimeoutIsCutToTheLifetime(t *testing.T) {
	st := newMemory()
	newSite(t, counterfoil.Config{Store: st, IdleTimeout: 5 * time.Hour, Lifetime: time.Hour}).user("john")
	rows, err := st.List(t.Context(), store.Query{User: "john"})
	if err != nil || len(rows) != 1 || rows[0].Idle != time.Hour {
		t.Errorf("%+v, %v", rows, err)
	}
}

// Logout, a form, and a login in one request: how a site changes the user.
func TestLogoutThenLoginInOneRequest(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	old := b.copy()
	b.within(func(ctx context.Context) {
		if err := s.Logout(ctx); err != nil {
			t.Error(err)
		}
		if _, err := counterfoil.CSRFToken(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Login(ctx, counterfoil.Login{User: "mary", InsecureAllowGET: true}); err != nil {
			t.Error(err)
		}
	})
	if b.me().User != "mary" || old.me().User != "" {
		t.Errorf("the browser is %q, the old cookie %q", b.me().User, old.me().User)
	}
}

// ErrNoHandler: a manager does not touch a session that another one found.
func TestTwoManagers(t *testing.T) {
	a, other := newSite(t, counterfoil.Config{}), newSite(t, counterfoil.Config{})
	b := a.user("john")
	b.within(func(ctx context.Context) {
		_, issue := other.IssueToken(ctx)
		_, others := other.EndOthers(ctx)
		for method, err := range map[string]error{
			"Login":      other.Login(ctx, counterfoil.Login{User: "mary", InsecureAllowGET: true}),
			"Logout":     other.Logout(ctx),
			"Rotate":     other.Rotate(ctx),
			"IssueToken": issue,
			"EndOthers":  others,
		} {
			if !errors.Is(err, counterfoil.ErrNoHandler) {
				t.Errorf("%s: error %v", method, err)
			}
		}
	})
	if b.me().User != "john" {
		t.Error("the session has changed")
	}
}
