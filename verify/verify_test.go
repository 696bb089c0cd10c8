package verify_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/verify"
)

// inBubble runs a test on a clock of its own.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// Config.Issuer: another spelling of the same address finds the issuer, so its
// tokens have to be accepted, too.
func TestTheIssuersSpellingMakesNoDifference(t *testing.T) {
	for _, spelling := range []string{"http://LOCALHOST", "http://localhost:80/", "HTTP://localhost", "http://localhost:"} {
		for _, audience := range []string{"", spelling} {
			inBubble(t, func(t *testing.T) {
				i := newIssuer(t)
				v := i.readyVerifier(func(c *verify.Config) { c.Issuer, c.Audience = spelling, audience })
				if _, err := v.Check(t.Context(), i.logIn()); err != nil {
					t.Errorf("%s, audience %q: %v", spelling, audience, err)
				}
			})
		}
	}
}

func TestLogoutReachesTheVerifier(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		i := newIssuer(t)
		v := i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict })
		mine, others := i.logIn(), i.logIn()
		claims, err := v.Check(t.Context(), mine)
		check(t, err)
		if claims.Subject != "u_john" || claims.Username != "john" || claims.Issuer != issuerURL {
			t.Errorf("claims %+v", claims)
		}
		i.logOut(mine)
		time.Sleep(time.Millisecond) // it is pushed: no beat comes that soon
		synctest.Wait()
		if _, err := v.Check(t.Context(), mine); !errors.Is(err, verify.ErrEnded) {
			t.Errorf("after the logout: %v", err)
		}
		if _, err := v.Check(t.Context(), others); err != nil {
			t.Errorf("another session: %v", err)
		}
		time.Sleep(11 * time.Minute)
		if _, err := v.Check(t.Context(), others); !errors.Is(err, verify.ErrInvalid) {
			t.Errorf("after its expiry: %v", err)
		}
	})
}

// G1: a check that begins a bound after the logout refuses, whatever is cut.
func TestTheLeaseLapsesWithinTheBound(t *testing.T) {
	for _, c := range []struct {
		why     string
		policy  verify.Policy
		lapsed  error // within a second of the lapse
		later   error
		fallout func(*issuer)
	}{
		{"cut off, Strict refuses", verify.Strict, verify.ErrUnavailable, verify.ErrUnavailable, func(i *issuer) { i.network.Cut() }},
		{"cut off, Introspect refuses, as nobody answers", verify.Introspect, verify.ErrUnavailable, verify.ErrUnavailable, func(i *issuer) { i.network.Cut() }},
		{"the hub is stopped, and Introspect asks", verify.Introspect, verify.ErrEnded, verify.ErrEnded, func(i *issuer) { i.stopNode() }},
		{"AllowStale accepts for a while, dangerously", verify.AllowStale(5 * time.Second), nil, verify.ErrUnavailable, func(i *issuer) { i.network.Cut() }},
	} {
		t.Run(c.why, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				i := newIssuer(t)
				v := i.readyVerifier(func(config *verify.Config) { config.Policy = c.policy })
				token := i.logIn()
				c.fallout(i)
				begun := time.Now()
				i.logOut(token)
				for time.Since(begun) < bound {
					_, err := v.Check(t.Context(), token)
					if err != nil {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(time.Until(begun.Add(bound)))
				if _, err := v.Check(t.Context(), token); !errors.Is(err, c.lapsed) {
					t.Errorf("a bound after the logout: %v", err)
				}
				time.Sleep(6 * time.Second)
				if _, err := v.Check(t.Context(), token); !errors.Is(err, c.later) {
					t.Errorf("later: %v", err)
				}
			})
		})
	}
}

func TestAVerifierBeginsWithNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		i := newIssuer(t)
		token := i.logIn()
		i.down.Store(true)
		for _, p := range []verify.Policy{verify.Introspect, verify.Strict, verify.AllowStale(time.Hour)} {
			v := i.verifier(func(c *verify.Config) { c.Policy = p })
			time.Sleep(time.Minute)
			if _, err := v.Check(t.Context(), token); !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("%v: %v", p, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := v.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("ready: %v", err)
			}
		}
		i.down.Store(false)
		v := i.verifier()
		time.Sleep(10 * time.Second)
		if _, err := v.Check(t.Context(), token); err != nil {
			t.Errorf("when the issuer is up: %v", err)
		}
	})
}

// A node that comes back knows nobody, and everybody goes on.
func TestTheHubRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		i := newIssuer(t)
		v := i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict })
		token, ended := i.logIn(), i.logIn()
		i.stopNode()
		i.logOut(ended)
		i.startNode()
		time.Sleep(bound)
		if _, err := v.Check(t.Context(), token); err != nil {
			t.Errorf("a session that lives: %v", err)
		}
		if _, err := v.Check(t.Context(), ended); !errors.Is(err, verify.ErrEnded) {
			t.Errorf("a session that ended meanwhile: %v", err)
		}
		i.logOut(token)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if _, err := v.Check(t.Context(), token); !errors.Is(err, verify.ErrEnded) {
			t.Errorf("after the restart nothing is pushed: %v", err)
		}
	})
}

// G2: when LogoutEverywhere returns, no verifier accepts the token any more.
func TestEverywhereWaitsForVerifiers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		i := newIssuer(t)
		var verifiers []*verify.Verifier
		for range 5 {
			verifiers = append(verifiers, i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict }))
		}
		for n := range 3 {
			time.Sleep(3 * bound)
			token := i.logIn()
			if n == 2 {
				i.network.Cut() // they hear nothing, and are waited for
			}
			session, err := i.sessions.CheckToken(t.Context(), token)
			check(t, err)
			check(t, i.sessions.End(t.Context(), session.ID()))
			news, err := i.store.Snapshot(t.Context())
			check(t, err)
			begun := time.Now()
			feed.Everywhere(t.Context(), i.store, unfollowed, news.Head.Pos)
			took := time.Since(begun)
			for _, v := range verifiers {
				if _, err := v.Check(t.Context(), token); err == nil {
					t.Errorf("%d: accepted after LogoutEverywhere", n)
				}
			}
			if n < 2 && took > 100*time.Millisecond {
				t.Errorf("%d: it took %v though all are well: they were not asked at once", n, took)
			}
			if n == 2 && took < bound/2 {
				t.Errorf("it took %v though nobody hears: who was waited for?", took)
			}
			t.Logf("%d: %v", n, took)
		}
	})
}

// Of everybody's sessions at once the log has one entry.
func TestEndAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		i := newIssuer(t)
		strict := i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict })
		asking := i.readyVerifier()
		time.Sleep(300 * time.Millisecond)
		before := i.logIn()
		time.Sleep(100 * time.Millisecond)
		_, err := i.sessions.EndAll(t.Context())
		check(t, err)
		time.Sleep(100 * time.Millisecond)
		john := i.browser()
		john.get("/")
		john.get("/login")
		sameSecond := john.get("/token")
		for _, v := range []*verify.Verifier{strict, asking} {
			if _, err := v.Check(t.Context(), before); !errors.Is(err, verify.ErrEnded) {
				t.Errorf("a session from before: %v", err)
			}
		}
		if _, err := asking.Check(t.Context(), sameSecond); err != nil {
			t.Errorf("a session of the same second lives, and the issuer can tell: %v", err)
		}
		if _, err := strict.Check(t.Context(), sameSecond); !errors.Is(err, verify.ErrEnded) {
			t.Errorf("a session of the same second can't be told from one before: %v", err)
		}
		time.Sleep(12 * time.Second) // all have known of it for ten of them
		for why, later := range map[string]string{
			"a session that began later":                                  i.logIn(),
			"a session of the same second, which is seen live after that": john.get("/token"),
		} {
			if _, err := strict.Check(t.Context(), later); err != nil {
				t.Errorf("%s: %v", why, err)
			}
		}
	})
}

// A slowStore stamps the end of everybody's sessions a minute before it commits
// it: so does a process that is stopped in between, or one whose disk hangs.
type slowStore struct {
	store.Store
	cut store.SID
}

const slowness = time.Minute

func (s *slowStore) EndAll(ctx context.Context, retain time.Duration) (store.Ended, error) {
	s.cut = store.NewSID(time.Now())
	time.Sleep(slowness)
	return s.Store.EndAll(ctx, retain)
}

func (s *slowStore) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	return s.stamped(s.Store.Beat(ctx, b))
}

func (s *slowStore) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	return s.stamped(s.Store.Follow(ctx, after, limit))
}

func (s *slowStore) stamped(news store.News, err error) (store.News, error) {
	for i := range news.Entries {
		if e := &news.Entries[i]; e.Kind == store.AllEnded {
			e.Session = s.cut
		}
	}
	return news, err
}

// "The entry is stamped before it is committed, and how long that takes nobody can
// say": what is issued until then is refused afterwards.
func TestEndAllIsCommittedLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		i := newIssuerOn(t, &slowStore{Store: memory.New(memory.Config{})})
		verifiers := []*verify.Verifier{i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict }), i.readyVerifier()}
		john := i.browser()
		john.get("/")
		john.get("/login")
		time.Sleep(2 * time.Second)
		ended := make(chan error)
		go func() {
			_, err := i.store.EndAll(context.Background(), i.hold)
			ended <- err
		}()
		time.Sleep(3 * time.Second)
		issued := john.get("/token")
		for _, v := range verifiers {
			_, err := v.Check(t.Context(), issued)
			check(t, err) // it has not ended yet
		}
		check(t, <-ended)
		time.Sleep(bound + bound/100)
		for _, v := range verifiers {
			if _, err := v.Check(t.Context(), issued); !errors.Is(err, verify.ErrEnded) {
				t.Errorf("%v", err)
			}
		}
	})
}

// A token that lives longer than the issuer remembers an end, such as one from
// before Config.TokenLife was lowered, outlives the memory of its session's end.
func TestATokenThatLivesTooLong(t *testing.T) {
	for _, c := range []struct {
		why    string
		policy verify.Policy
		lives  error
	}{
		{"the issuer can tell", verify.Introspect, nil},
		{"nobody is asked", verify.Strict, verify.ErrEnded},
		{"nobody is asked, dangerously", verify.AllowStale(time.Hour), verify.ErrEnded},
	} {
		t.Run(c.why, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				i := newIssuer(t)
				i.stopNode()
				i.hold = 5 * time.Minute
				i.startNode()
				v := i.readyVerifier(func(config *verify.Config) { config.Policy = c.policy })
				token := i.logIn()
				if _, err := v.Check(t.Context(), token); !errors.Is(err, c.lives) {
					t.Errorf("while its session lives: %v", err)
				}
				session, err := i.sessions.CheckToken(t.Context(), token)
				check(t, err)
				id, err := store.ParseSID(session.ID())
				check(t, err)
				_, err = i.store.End(t.Context(), id, i.hold)
				check(t, err)
				for range 19 {
					time.Sleep(30 * time.Second)
					if _, err := v.Check(t.Context(), token); !errors.Is(err, verify.ErrEnded) {
						t.Fatalf("after the end: %v", err)
					}
				}
			})
		})
	}
}

// Config.Bound: "Where the issuer's own bound is shorter, that counts".
func TestAnIssuerWithAShorterBound(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		i := newIssuer(t)
		v := i.readyVerifier(func(c *verify.Config) { c.Policy, c.Bound = verify.Strict, time.Minute })
		token := i.logIn()
		for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(100 * time.Millisecond) {
			if _, err := v.Check(t.Context(), token); err != nil {
				t.Fatalf("after %v: %v", time.Since(begun), err)
			}
		}
	})
}

// A verifier to which nothing has happened for a while knows no time but an old
// one. A token that was issued since is none from the future.
func TestANewTokenOnAnIdleVerifier(t *testing.T) {
	for _, c := range []struct {
		why    string
		policy verify.Policy
		stop   bool
		want   error
	}{
		{"between two beats", verify.Strict, false, nil},
		{"the hub is stopped, and Introspect asks", verify.Introspect, true, nil},
		{"the hub is stopped, and Strict can't tell", verify.Strict, true, verify.ErrUnavailable},
	} {
		inBubble(t, func(t *testing.T) {
			i := newIssuer(t)
			i.stopNode()
			i.bound = time.Minute
			i.startNode()
			v := i.readyVerifier(func(config *verify.Config) { config.Policy, config.Bound = c.policy, time.Minute })
			if c.stop {
				i.stopNode()
				time.Sleep(time.Minute)
			}
			for range 10 {
				time.Sleep(10 * time.Second)
				if _, err := v.Check(t.Context(), i.logIn()); !errors.Is(err, c.want) {
					t.Errorf("%s: %v", c.why, err)
				}
			}
		})
	}
}
