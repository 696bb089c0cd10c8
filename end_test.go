package counterfoil_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

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

// A logout drops what the request has set, and says nothing of it.
func TestLogoutDropsPendingChanges(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	s.user("john").within(func(ctx context.Context) {
		counter.Set(ctx, 5)
		if err := s.Logout(ctx); err != nil {
			t.Error(err)
		}
		if got, err := counter.Get(ctx); got != 0 || err != nil {
			t.Errorf("after the logout the value is %d, %v", got, err)
		}
	})
}

// A request with a token leaves the browser's cookies alone, also at logout; and
// after it there is no session to set a value in.
func TestLogoutByToken(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	grant := s.client("john")
	res := s.withToken(grant.Token, func(ctx context.Context) {
		if err := s.Logout(ctx); err != nil {
			t.Error(err)
		}
		if err := counter.Set(ctx, 1); !errors.Is(err, counterfoil.ErrEnded) {
			t.Errorf("a value was set after the logout: %v", err)
		}
	})
	wantStatus(t, "the logout", res, 200)
	if len(res.Cookies()) != 0 || res.Header.Get("Clear-Site-Data") != "" {
		t.Errorf("headers %v", res.Header)
	}
	wantStatus(t, "the token", s.bearer(grant.Token), 401)
}

// DESIGN: the log remembers an end for longer than any token of the session
// could live, whichever way it ended.
func TestTheLogRemembersLongerThanTokensLive(t *testing.T) {
	onEachStore(t, testTheLogRemembersLongerThanTokensLive)
}

func testTheLogRemembersLongerThanTokensLive(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st, MaxSessions: 1})
	for _, c := range []struct {
		why string
		end func()
	}{
		{"a logout", func() { s.user("john").post("/logout") }},
		{"a rotation", func() { s.user("john").rotate() }},
		{"a second login", func() { s.user("john").loginAgain("john") }},
		{"a login over the limit", func() { s.user("mary"); s.user("mary") }},
		{"End", func() { s.End(t.Context(), s.client("john").Session.ID()) }},
		{"EndUser", func() { s.client("john"); s.EndUser(t.Context(), "john") }},
		{"EndAll", func() { s.client("john"); s.EndAll(t.Context()) }},
		{"a reused refresh token", func() {
			first := s.client("john").RefreshToken
			s.refresh(s.refresh(first).RefreshToken)
			s.wantDead("reuse", first)
		}},
	} {
		before, err := st.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.end()
		news, err := st.Follow(t.Context(), before.Head, store.MaxBatch)
		if err != nil || len(news.Entries) == 0 {
			t.Fatalf("%s: %d entries, %v", c.why, len(news.Entries), err)
		}
		for _, entry := range news.Entries {
			if left := entry.Expires.Sub(news.Now); left < 11*time.Minute {
				t.Errorf("%s: the log forgets it in %v, its tokens live for 10 minutes", c.why, left)
			}
		}
	}
}

// Where two managers have sites of their own, a user of the one is nobody to the
// other, though he may have the same id there.
func TestEndOwnIsForTheManagersOwnUsers(t *testing.T) {
	site, admin := newSite(t, counterfoil.Config{}), newSite(t, counterfoil.Config{})
	theirs := admin.user("john")
	id := theirs.me().ID
	site.user("john").within(func(ctx context.Context) {
		if err := admin.EndOwn(ctx, id); !errors.Is(err, counterfoil.ErrNoHandler) {
			t.Errorf("EndOwn in a request of another site: %v", err)
		}
	})
	if got := theirs.me().User; got != "john" {
		t.Error("a user of one site has ended a session of the other")
	}
}
