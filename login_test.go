package counterfoil_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
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
	s := newSite(t, counterfoil.Config{Store: st, MaxSessions: 5})
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

// D3, D8: what the list shows is what can be ended.
func TestListAndEnd(t *testing.T) {
	memory := memory.New(memory.Config{})
	s := newSite(t, counterfoil.Config{Store: memory})
	laptop, phone, mallory := s.user("john"), s.user("john"), s.user("mallory")
	laptop.within(func(ctx context.Context) {
		list, err := s.Sessions(ctx, "john")
		if err != nil || len(list) != 2 {
			t.Fatalf("%d sessions, %v", len(list), err)
		}
		for _, session := range list {
			if session.Current() != (session.ID() == counterfoil.FromContext(ctx).ID()) {
				t.Error("the wrong session is marked as this one")
			}
		}
		if err := s.EndOwn(ctx, mallory.me().ID); !errors.Is(err, counterfoil.ErrNotFound) {
			t.Errorf("8.2.2: ending another user's session: %v", err)
		}
		for _, junk := range []string{"", "x", "../..", "' OR 1=1"} {
			if err := s.EndOwn(ctx, junk); !errors.Is(err, counterfoil.ErrNotFound) {
				t.Errorf("ending %q: %v", junk, err)
			}
		}
		if err := s.EndOwn(ctx, phone.me().ID); err != nil {
			t.Error(err)
		}
	})
	if phone.me().User != "" || laptop.me().User != "john" || mallory.me().User != "mallory" {
		t.Error("the wrong session has ended")
	}
	s.browser().within(func(ctx context.Context) {
		if err := s.EndOwn(ctx, laptop.me().ID); !errors.Is(err, counterfoil.ErrNotFound) {
			t.Errorf("a stranger ends a session: %v", err)
		}
	})
}

// 7.4.1, 7.4.2: whichever way sessions end, all that belongs to them is dead.
func TestNothingWorksAfterTheEnd(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		testNothingWorksAfterTheEnd(t, func(*testing.T) store.Store { return newMemory() })
	})
	t.Run("sqlite", func(t *testing.T) {
		testNothingWorksAfterTheEnd(t, func(t *testing.T) store.Store { return newSQLite(t) })
	})
}

func testNothingWorksAfterTheEnd(t *testing.T, open func(*testing.T) store.Store) {
	for _, c := range []struct {
		why string
		end func(*site, *browser) error
	}{
		{"logout by cookie", func(s *site, b *browser) error { b.copy().post("/logout"); return nil }},
		{"logout by token", func(s *site, b *browser) error {
			r := httptest.NewRequest("POST", publicURL+"/logout", nil)
			r.Header.Set("Authorization", "Bearer "+b.me().Token)
			s.browser().do(r)
			return nil
		}},
		{"End", func(s *site, b *browser) error { return s.End(context.Background(), b.me().ID) }},
		{"EndUser", func(s *site, b *browser) error { _, err := s.EndUser(context.Background(), "john"); return err }},
		{"EndAll", func(s *site, b *browser) error { _, err := s.EndAll(context.Background()); return err }},
		{"EndOthers from another device", func(s *site, b *browser) (err error) {
			s.user("john").within(func(ctx context.Context) { _, err = s.EndOthers(ctx) })
			return err
		}},
		{"EndOwn from another device", func(s *site, b *browser) (err error) {
			id := b.me().ID
			s.user("john").within(func(ctx context.Context) { err = s.EndOwn(ctx, id) })
			return err
		}},
		{"a new login in the same browser", func(s *site, b *browser) error { b.copy().post("/login", "user", "john"); return nil }},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := newSite(t, counterfoil.Config{Store: open(t)})
			b := s.user("john")
			token := b.me().Token
			wantStatus(t, "the token before", s.bearer(token), 200)
			if err := c.end(s, b); err != nil {
				t.Fatal(err)
			}
			if me := b.me(); me.User != "" || me.ID != "" {
				t.Errorf("the cookie still is %+v", me)
			}
			wantStatus(t, "the csrf token", b.post("/nothing"), 403)
			wantStatus(t, "the access token", s.bearer(token), 401)
		})
	}
}

func TestEndOthersNeedsAUser(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	s.visitor().within(func(ctx context.Context) {
		if _, err := s.EndOthers(ctx); !errors.Is(err, counterfoil.ErrNoSession) {
			t.Errorf("error %v", err)
		}
	})
	if err := s.End(t.Context(), "no id"); !errors.Is(err, counterfoil.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

// A second logout is none: it answers like the first.
func TestLogoutTwice(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	b.within(func(ctx context.Context) {
		for range 2 {
			if err := s.Logout(ctx); err != nil {
				t.Error(err)
			}
		}
		if counterfoil.FromContext(ctx).ID() != "" {
			t.Error("there is still a session in the context")
		}
		if err := counter.Set(ctx, 1); !errors.Is(err, counterfoil.ErrEnded) {
			t.Errorf("a value was set after the logout: %v", err)
		}
	})
}

// 14.3.1: the answer to a logout clears what the browser has, and changes the
// cookie, so that Back shows nothing.
func TestLogoutClearsTheBrowser(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	res := s.user("john").post("/logout")
	if got := res.Header.Get("Clear-Site-Data"); got != `"cache","cookies","storage"` {
		t.Errorf("Clear-Site-Data is %s", got)
	}
	if c := res.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("cookies %v", c)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
}
