package counterfoil_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

func (s *site) client(user string) counterfoil.Grant {
	s.t.Helper()
	grant, err := s.LoginClient(s.t.Context(), counterfoil.Login{User: user}, counterfoil.Client{UserAgent: "curl/8", Address: "192.0.2.1"})
	if err != nil {
		s.t.Fatal(err)
	}
	return grant
}

func (s *site) refresh(token string) counterfoil.Grant {
	s.t.Helper()
	grant, err := s.Refresh(s.t.Context(), token)
	if err != nil {
		s.t.Fatal(err)
	}
	return grant
}

func (s *site) wantDead(why, refresh string) {
	s.t.Helper()
	if _, err := s.Refresh(s.t.Context(), refresh); !errors.Is(err, counterfoil.ErrInvalidGrant) {
		s.t.Errorf("%s: error %v, want ErrInvalidGrant", why, err)
	}
}

func TestRefresh(t *testing.T) { onEachStore(t, testRefresh) }

func testRefresh(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	first := s.client("john")
	if first.Session.User() != "john" || first.Session.HasCookie() {
		t.Errorf("session %+v", first.Session)
	}
	wantStatus(t, "the first access token", s.bearer(first.Token), 200)
	second := s.refresh(first.RefreshToken)
	if second.RefreshToken == first.RefreshToken {
		t.Error("10.4.5: the refresh token did not rotate")
	}
	if second.Session.ID() != first.Session.ID() {
		t.Error("the session has changed")
	}
	wantStatus(t, "the second access token", s.bearer(second.Token), 200)
	if err := s.End(t.Context(), first.Session.ID()); err != nil {
		t.Fatal(err)
	}
	s.wantDead("after logout", second.RefreshToken)
	wantStatus(t, "the access token after logout", s.bearer(second.Token), 401)
}

// req 40, 41: within 30 s the same successor, after that the end.
func TestRefreshReuse(t *testing.T) {
	for _, c := range []struct {
		why  string
		wait time.Duration
		dead bool
	}{
		{"at once: a lost answer, the same successor", 0, false},
		{"after 29 s: two tabs, the same successor", 29 * time.Second, false},
		{"after 31 s: a copy is about, the session ends", 31 * time.Second, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, counterfoil.Config{})
				first := s.client("john")
				second := s.refresh(first.RefreshToken)
				time.Sleep(c.wait)
				if c.dead {
					s.wantDead("reuse", first.RefreshToken)
					s.wantDead("the successor of a reused token", second.RefreshToken)
					wantStatus(t, "the access token", s.bearer(second.Token), 401)
					return
				}
				again := s.refresh(first.RefreshToken)
				if again.RefreshToken != second.RefreshToken {
					t.Error("another successor")
				}
				wantStatus(t, "the access token", s.bearer(again.Token), 200)
				s.refresh(second.RefreshToken)
			})
		})
	}
}

func TestRefreshOfAnOlderTokenEndsTheSession(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	first := s.client("john")
	second := s.refresh(first.RefreshToken)
	third := s.refresh(second.RefreshToken)
	s.wantDead("a token two steps old", first.RefreshToken)
	s.wantDead("the newest, since the family is revoked", third.RefreshToken)
}

// Who knows a session's id, which stands in tokens and lists, can't end it.
func TestInventedRefreshTokensChangeNothing(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	grant := s.client("john")
	mallory := s.client("mallory").RefreshToken
	for _, c := range []struct{ why, token string }{
		{"empty", ""},
		{"one character short", grant.RefreshToken[1:]},
		{"padded", grant.RefreshToken + "="},
		{"loose bits", grant.RefreshToken[:85] + "B"},
		{"the id, and another's family", grant.RefreshToken[:21] + mallory[21:]},
		{"oversized", strings.Repeat("A", 1<<20)},
		{"an access token", grant.Token},
	} {
		s.wantDead(c.why, c.token)
	}
	wantStatus(t, "the session after all that", s.bearer(grant.Token), 200)
	s.refresh(grant.RefreshToken)
}

// D15, req 41: 50 refreshes at once have one successor, and nobody is logged
// out.
func TestParallelRefreshes(t *testing.T) { onEachStore(t, testParallelRefreshes) }

func testParallelRefreshes(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	grant := s.client("john")
	var done sync.WaitGroup
	successors := make([]string, 50)
	for i := range successors {
		done.Go(func() {
			if g, err := s.Refresh(t.Context(), grant.RefreshToken); err != nil {
				t.Error(err)
			} else {
				successors[i] = g.RefreshToken
			}
		})
	}
	done.Wait()
	for _, token := range successors {
		if token != successors[0] {
			t.Fatal("two successors")
		}
	}
	s.refresh(successors[0])
}

// req 26: a refresh that races a logout mints nothing usable.
func TestRefreshRacesLogout(t *testing.T) {
	t.Parallel() // it takes a while
	onEachStore(t, testRefreshRacesLogout)
}

func testRefreshRacesLogout(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	for range 500 {
		grant := s.client("john")
		var next counterfoil.Grant
		var err error
		var both sync.WaitGroup
		both.Go(func() { next, err = s.Refresh(t.Context(), grant.RefreshToken) })
		both.Go(func() {
			if err := s.End(t.Context(), grant.Session.ID()); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if err != nil && !errors.Is(err, counterfoil.ErrInvalidGrant) {
			t.Fatal(err)
		}
		if err == nil {
			s.wantDead("the successor after the logout", next.RefreshToken)
			wantStatus(t, "the access token after the logout", s.bearer(next.Token), 401)
		}
	}
}

// 10.4.8: however often it is refreshed, the session ends.
func TestRefreshHasAnAbsoluteEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		grant := s.client("john")
		start := time.Now()
		for {
			time.Sleep(10 * time.Minute)
			next, err := s.Refresh(t.Context(), grant.RefreshToken)
			if err != nil {
				break
			}
			grant = next
		}
		if lived := time.Since(start); lived != 24*time.Hour {
			t.Errorf("it lived for %v, want 24 h", lived)
		}
	})
}
