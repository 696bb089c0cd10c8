package counterfoil_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// 7.3.1, 7.3.2: idle and absolute time-outs, on the server.
func TestTimeouts(t *testing.T) {
	const remember, day = true, 24 * time.Hour
	for _, c := range []struct {
		why      string
		remember bool
		every    time.Duration // how often it is used; 0: once, after life
		life     time.Duration
	}{
		{"7.3.1: unused, it lives for just under an hour", false, 0, time.Hour - time.Millisecond},
		{"7.3.1: unused, it is dead after an hour", false, 0, time.Hour},
		{"7.3.2: used all the time, it ends after a day", false, 7 * time.Minute, day},
		{"NIST AAL1: remembered and unused, it lives for just under a week", remember, 0, 7*day - time.Millisecond},
		{"NIST AAL1: remembered and unused, it is dead after a week", remember, 0, 7 * day},
		{"NIST AAL1: remembered and used, it ends after 30 days", remember, 5 * time.Hour, 30 * day},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, counterfoil.Config{})
				b := s.visitor()
				fields := []string{"user", "john"}
				if c.remember {
					fields = append(fields, "remember", "on")
				}
				wantStatus(t, "login", b.post("/login", fields...), 303)
				start := time.Now()
				if c.every == 0 {
					time.Sleep(c.life)
					alive := c.life%time.Hour != 0
					if got := b.me().User == "john"; got != alive {
						t.Errorf("after %v it is alive: %v", c.life, got)
					}
					return
				}
				for b.me().User == "john" {
					time.Sleep(c.every)
				}
				if lived := time.Since(start); lived < c.life || lived > c.life+c.every {
					t.Errorf("it lived for %v, want %v", lived, c.life)
				}
			})
		})
	}
}

func TestIdleTimeoutIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b := s.user("john")
		token := b.me().Token
		time.Sleep(time.Hour)
		if b.me().User != "" {
			t.Error("it is alive after an hour without a use")
		}
		wantStatus(t, "its token", s.bearer(token), 401)
		wantStatus(t, "its form", b.post("/nothing"), 403)
	})
}

// An access token runs out by itself, and never outlives its session.
func TestTokenLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b := s.user("john")
		token := b.me().Token
		time.Sleep(9*time.Minute + 59*time.Second)
		wantStatus(t, "before its end", s.bearer(token), 200)
		time.Sleep(2 * time.Second)
		wantStatus(t, "after its end", s.bearer(token), 401)
		wantStatus(t, "the session lives on", b.get("/me"), 200)

		for range 23*6 + 4 { // nearly a day of use
			time.Sleep(10 * time.Minute)
			b.me()
		}
		var left time.Duration
		b.within(func(ctx context.Context) {
			issued, err := s.IssueToken(ctx)
			if err != nil {
				t.Fatal(err)
			}
			left = time.Until(counterfoil.FromContext(ctx).Deadline())
			if issued.ExpiresIn > left+time.Second {
				t.Errorf("a token lives for %v, its session for %v", issued.ExpiresIn, left)
			}
		})
		if left > 10*time.Minute {
			t.Fatalf("the session still has %v", left)
		}
	})
}

func TestAnonymousSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b := s.visitor()
		time.Sleep(time.Hour)
		wantStatus(t, "a login form that was open for an hour", b.post("/login", "user", "john"), 403)
	})
}

// D7: a session that is used a thousand times a minute is written once a
// minute, in one batch with the others, and its last use is not lost.
func TestTouchesAreThrottledAndBatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, calls := countingConfig()
		s := newSite(t, config)
		a, b := s.user("john"), s.user("mary")
		for range 10 * 60 * 4 {
			time.Sleep(time.Second / 4)
			a.me()
			b.me()
		}
		time.Sleep(2 * time.Second)
		if n := calls("Touch"); n < 9 || n > 20 {
			t.Errorf("%d writes in 10 minutes of use of two sessions, want about one a minute for both", n)
		}
		list, err := s.Sessions(t.Context(), "john")
		if err != nil || time.Since(list[0].LastSeen()) > time.Minute+3*time.Second {
			t.Errorf("last seen %v ago, %v", time.Since(list[0].LastSeen()), err)
		}
	})
}

// Close writes what was not yet written.
func TestCloseFlushesTouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, calls := countingConfig()
		m, err := counterfoil.New(config)
		if err != nil {
			t.Fatal(err)
		}
		grant, err := m.LoginClient(t.Context(), counterfoil.Login{User: "john"}, counterfoil.Client{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute + time.Millisecond)
		if _, err := m.CheckToken(t.Context(), grant.Token); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if calls("Touch") != 1 {
			t.Errorf("%d touches were written", calls("Touch"))
		}
	})
}

// Expired sessions are removed without anybody asking for them.
func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, calls := countingConfig()
		s := newSite(t, config)
		for range 1000 {
			s.visitor()
		}
		time.Sleep(63 * time.Minute)
		if n := calls("Purge"); n < 60 {
			t.Errorf("purged %d times", n)
		}
	})
}

// stream opens an event stream in the browser's session and returns the cause
// of its end.
func (b *browser) stream() (opened chan bool, cause chan error) {
	opened, cause = make(chan bool), make(chan error, 1)
	h := b.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := b.UntilEnd(r.Context())
		defer cancel()
		http.NewResponseController(w).Flush()
		close(opened)
		<-ctx.Done()
		cause <- context.Cause(ctx)
	}))
	go h.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/", ""))
	return opened, cause
}

func TestUntilEnd(t *testing.T) {
	for _, c := range []struct {
		why    string
		end    func(*testing.T, *site, *browser, store.Store)
		within time.Duration
		want   error
	}{
		{"a logout here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { b.copy().post("/logout") }, 0, counterfoil.ErrEnded},
		{"all of the user's sessions here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { s.EndUser(t.Context(), "john") }, 0, counterfoil.ErrEnded},
		{"everybody's here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { s.EndAll(t.Context()) }, 0, counterfoil.ErrEnded},
		{"by another process: within the bound", func(t *testing.T, s *site, b *browser, st store.Store) {
			rows, _ := st.List(t.Context(), store.Query{User: "john"})
			st.End(t.Context(), rows[0].ID, time.Hour)
		}, 2 * time.Second, counterfoil.ErrEnded},
		{"everybody's by another process: within the bound", func(t *testing.T, s *site, b *browser, st store.Store) {
			st.EndAll(t.Context(), time.Hour)
		}, 2 * time.Second, counterfoil.ErrEnded},
		{"7.3.1: it expires", func(*testing.T, *site, *browser, store.Store) { time.Sleep(time.Hour) }, 2 * time.Second, counterfoil.ErrEnded},
		{"16.5.3: the store is gone for longer than the bound", func(t *testing.T, s *site, b *browser, st store.Store) {
			st.Close()
		}, 2 * time.Second, counterfoil.ErrUnavailable},
		{"the manager is closed", func(t *testing.T, s *site, b *browser, st store.Store) { s.Close() }, 0, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newMemory()
				s := newSite(t, counterfoil.Config{Store: st})
				b := s.user("john")
				opened, cause := b.stream()
				<-opened
				time.Sleep(5 * time.Second)
				select {
				case err := <-cause:
					t.Fatalf("it ended by itself: %v", err)
				default:
				}
				c.end(t, s, b, st)
				start := time.Now()
				err := <-cause
				if waited := time.Since(start); waited > c.within {
					t.Errorf("it ended after %v, want within %v", waited, c.within)
				}
				if c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("cause %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A stream does not keep its session alive, but other requests do.
func TestUntilEndGoesOnWhileTheSessionIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b := s.user("john")
		opened, cause := b.stream()
		<-opened
		for range 30 {
			time.Sleep(10 * time.Minute)
			b.me()
		}
		select {
		case err := <-cause:
			t.Fatalf("it ended: %v", err)
		default:
		}
		b.post("/logout")
		<-cause
	})
}

func TestUntilEndWithoutASession(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	s.browser().within(func(ctx context.Context) {
		watched, cancel := s.UntilEnd(ctx)
		defer cancel()
		if err := context.Cause(watched); !errors.Is(err, counterfoil.ErrNoSession) {
			t.Errorf("cause %v", err)
		}
	})
}
