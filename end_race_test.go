package counterfoil_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// A beforeEnd lets other requests happen in the gap between the moment at which
// a session is found and the one at which the store ends it.
type beforeEnd struct {
	mu    sync.Mutex
	queue []func()
}

func (g *beforeEnd) then(do ...func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = do
}

func (g *beforeEnd) onStore(ctx context.Context, method string) (context.Context, func(error)) {
	if method == "End" {
		if do := g.next(); do != nil {
			do()
		}
	}
	return ctx, nil
}

func (g *beforeEnd) next() (do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) > 0 {
		do, g.queue = g.queue[0], g.queue[1:]
	}
	return do
}

func (b *browser) rotate() {
	b.within(func(ctx context.Context) {
		if err := b.Rotate(ctx); err != nil {
			b.t.Error(err)
		}
	})
}

func (b *browser) loginAgain(user string) {
	b.within(func(ctx context.Context) {
		if err := b.Login(ctx, counterfoil.Login{User: user, InsecureAllowGET: true}); err != nil {
			b.t.Error(err)
		}
	})
}

// endings are the ways to end the session of a browser's user, from there or
// from his other device.
var endings = []struct {
	why string
	end func(s *site, b, device *browser) error
}{
	{"a logout", func(s *site, b, _ *browser) (err error) {
		b.copy().within(func(ctx context.Context) { err = s.Logout(ctx) })
		return err
	}},
	{"a logout by access token", func(s *site, b, _ *browser) (err error) {
		s.withToken(b.me().Token, func(ctx context.Context) { err = s.Logout(ctx) })
		return err
	}},
	{"End", func(s *site, b, _ *browser) error { return s.End(context.Background(), b.me().ID) }},
	{"EndOwn", func(s *site, b, device *browser) (err error) {
		id := b.me().ID
		device.within(func(ctx context.Context) { err = s.EndOwn(ctx, id) })
		return err
	}},
}

// G0: "Logout returned nil: no login race brings the session back." What a
// concurrent request put in the session's place goes with it, and nothing else.
func TestEndingTakesTheSuccessorsAlong(t *testing.T) {
	onEachStore(t, testEndingTakesTheSuccessorsAlong)
}

func testEndingTakesTheSuccessorsAlong(t *testing.T, st store.Store) {
	var gap beforeEnd
	s := newSite(t, counterfoil.Config{Store: st, OnStore: gap.onStore})
	for _, ending := range endings {
		for _, c := range []struct {
			why  string
			then func(b *browser) []func()
		}{
			{"a rotation came between", func(b *browser) []func() { return []func(){b.rotate} }},
			{"several rotations did", func(b *browser) []func() {
				return []func(){func() { b.rotate(); b.rotate(); b.rotate() }}
			}},
			{"one more did after each try", func(b *browser) []func() { return []func(){b.rotate, b.rotate, b.rotate} }},
			{"a second login of the same user did", func(b *browser) []func() {
				return []func(){func() { b.loginAgain("john") }}
			}},
			{"a login and a rotation did", func(b *browser) []func() {
				return []func(){func() { b.loginAgain("john"); b.rotate() }}
			}},
		} {
			t.Run(ending.why+", and "+c.why, func(t *testing.T) {
				b, device := s.user("john"), s.user("john")
				defer s.EndUser(t.Context(), "john")
				gap.then(c.then(b)...)
				if err := ending.end(s, b, device); err != nil {
					t.Fatal(err)
				}
				if me := b.me(); me.User != "" {
					t.Errorf("the successor lives: %+v", me)
				}
				if list, err := s.Sessions(t.Context(), "john"); err != nil || len(list) != 1 || device.me().User != "john" {
					t.Errorf("%d sessions of john live, want his other device's; %v", len(list), err)
				}
			})
		}
	}
}

// A login of somebody else in the same browser is no successor: who logs in
// last, stays.
func TestEndingSparesAnotherUsersLogin(t *testing.T) {
	for _, ending := range endings {
		t.Run(ending.why, func(t *testing.T) {
			var gap beforeEnd
			s := newSite(t, counterfoil.Config{OnStore: gap.onStore})
			b, device := s.user("john"), s.user("john")
			gap.then(func() { b.loginAgain("mary") })
			if err := ending.end(s, b, device); err != nil {
				t.Fatal(err)
			}
			if me := b.me(); me.User != "mary" {
				t.Errorf("it is %q's session", me.User)
			}
		})
	}
}

// Where it is replaced again and again, the logout does not claim that it has
// happened.
func TestEndingNeverClaimsWhatItDidNot(t *testing.T) {
	var gap beforeEnd
	s := newSite(t, counterfoil.Config{OnStore: gap.onStore})
	for _, ending := range endings {
		t.Run(ending.why, func(t *testing.T) {
			b, device := s.user("john"), s.user("john")
			defer s.EndUser(t.Context(), "john")
			again := make([]func(), 20)
			for i := range again {
				again[i] = b.rotate
			}
			gap.then(again...)
			err := ending.end(s, b, device)
			gap.then()
			if !errors.Is(err, counterfoil.ErrIndeterminate) || counterfoil.ProblemFor(err).Status != 503 {
				t.Errorf("error %v", err)
			}
			if b.me().User != "john" {
				t.Error("he is logged out: the test does not show what it should")
			}
		})
	}
}

// The same, as it falls out.
func TestLogoutRacesRotationAndLogin(t *testing.T) { onEachStore(t, testLogoutRacesRotationAndLogin) }

func testLogoutRacesRotationAndLogin(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	for round := range 150 {
		b := s.user("john")
		var admitted, all sync.WaitGroup
		admitted.Add(3)
		race := func(do func(ctx context.Context) error) {
			all.Go(func() {
				b.copy().handle(func(w http.ResponseWriter, r *http.Request) {
					admitted.Done()
					admitted.Wait() // all three have found the session
					if err := do(r.Context()); err != nil && !errors.Is(err, counterfoil.ErrEnded) {
						t.Error(err)
					}
				})
			})
		}
		race(s.Logout)
		race(func(ctx context.Context) error {
			for range round % 4 {
				if err := s.Rotate(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		race(func(ctx context.Context) error {
			return s.Login(ctx, counterfoil.Login{User: "john", InsecureAllowGET: true})
		})
		all.Wait()
		if list, err := s.Sessions(t.Context(), "john"); err != nil || len(list) != 0 {
			t.Fatalf("round %d: %d sessions live after the logout, %v", round, len(list), err)
		}
	}
}
