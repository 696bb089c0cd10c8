package counterfoil_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil"
)

// 7.3.1, 7.3.2: idle and absolute time-outs, on the server.
func TestTimeouts(t *testing.T) {
	t.Parallel() // it takes a while
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
	})
}

// A token that is issued shortly before the deadline ends there.
func TestTokenEndsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{Lifetime: 15 * time.Minute})
		b := s.user("john")
		time.Sleep(9 * time.Minute)
		b.within(func(ctx context.Context) {
			issued, err := s.IssueToken(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if issued.ExpiresIn != 6*time.Minute {
				t.Errorf("it lives for %v, its session for 6 minutes", issued.ExpiresIn)
			}
			claims := jwt.RegisteredClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(issued.Token, &claims); err != nil {
				t.Fatal(err)
			}
			if deadline := counterfoil.FromContext(ctx).Deadline(); claims.ExpiresAt.After(deadline) {
				t.Errorf("exp is %v, the deadline %v", claims.ExpiresAt, deadline)
			}
		})
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
