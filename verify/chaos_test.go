package verify_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/verify"
)

// A lame transport delays questions and answers, at random, and loses some.
type lame struct {
	http.RoundTripper
	mu     sync.Mutex
	random *rand.Rand
}

func (l *lame) draw(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(n)
}

func (l *lame) RoundTrip(r *http.Request) (*http.Response, error) {
	wait := func() {
		d := time.Duration(l.draw(40)) * time.Millisecond
		if l.draw(20) == 0 {
			d = time.Duration(l.draw(5000)) * time.Millisecond
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	wait()
	res, err := l.RoundTripper.RoundTrip(r)
	wait()
	return res, err
}

// Whatever the network does, and while the node restarts now and then: nothing
// is accepted a bound after the logout, and nothing at all after a logout
// everywhere. (G1, G2)
func TestNothingIsAcceptedTooLongOnALameNetwork(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(t)
			random := rand.New(rand.NewPCG(seed, 1))
			var verifiers []*verify.Verifier
			for range 6 {
				verifiers = append(verifiers, i.verifier(func(c *verify.Config) {
					c.Policy = verify.Strict
					c.Transport = &lame{RoundTripper: c.Transport, random: rand.New(rand.NewPCG(seed, random.Uint64()))}
				}))
			}
			i.lameLogouts(random, verifiers)
		})
	}
}

func (i *issuer) lameLogouts(random *rand.Rand, verifiers []*verify.Verifier) {
	i.t.Helper()
	accepted, asked, waited := 0, 0, time.Duration(0)
	for n := range 60 {
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
		if random.IntN(12) == 0 {
			i.stopNode()
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			i.startNode()
		}
		token := i.logIn()
		for _, v := range verifiers {
			asked++
			if _, err := v.Check(i.t.Context(), token); err == nil {
				accepted++
			}
		}
		head := i.end(token)
		begun := time.Now()
		if n%2 == 0 {
			feed.Everywhere(i.t.Context(), i.store, unfollowed, head.Pos)
			waited += time.Since(begun)
		} else {
			time.Sleep(store.Longest(bound))
		}
		for which, v := range verifiers {
			if _, err := v.Check(i.t.Context(), token); err == nil {
				i.t.Errorf("logout %d: verifier %d accepts the token %v later", n, which, time.Since(begun))
			}
		}
	}
	i.t.Logf("before the logout %d of %d checks were answered locally; a logout everywhere took %v on average", accepted, asked, waited/30)
	if accepted < asked/4 {
		i.t.Errorf("only %d of %d checks were answered: the test shows little", accepted, asked)
	}
}

// end ends the session of a token and returns the place of its end in the log.
func (i *issuer) end(token string) store.Cursor {
	i.t.Helper()
	session, err := i.sessions.CheckToken(i.t.Context(), token)
	check(i.t, err)
	id, err := store.ParseSID(session.ID())
	check(i.t, err)
	ended, err := i.store.End(i.t.Context(), id, 12*time.Minute)
	check(i.t, err)
	return ended.Head
}

// The secret of the client goes to the routes of the feed and nowhere else, and
// a token goes where it was issued.
func TestSecretsGoWhereTheyBelong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t)
		token := i.logIn()
		spy := &spy{}
		v := i.verifier(func(c *verify.Config) {
			spy.RoundTripper = c.Transport
			c.Transport = spy
		})
		time.Sleep(time.Minute)
		i.stopNode()
		time.Sleep(2 * bound)
		if _, err := v.Check(t.Context(), token); err != nil { // asks
			t.Fatal(err)
		}
		spy.mu.Lock()
		defer spy.mu.Unlock()
		for path, kinds := range spy.seen {
			want := map[string]string{
				feed.StreamPath: "Basic", feed.RenewPath: "Basic", feed.SnapshotPath: "Basic",
				"/v1/session": "Bearer", "/.well-known/jwks.json": "",
			}
			kind, known := want[path]
			if !known || len(kinds) != 1 || !kinds[kind] {
				t.Errorf("%s was sent %v", path, kinds)
			}
		}
		if len(spy.seen) != 5 {
			t.Errorf("seen %v", spy.seen)
		}
	})
}

type spy struct {
	http.RoundTripper
	mu   sync.Mutex
	seen map[string]map[string]bool // path, scheme
}

func (s *spy) RoundTrip(r *http.Request) (*http.Response, error) {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	if s.seen == nil {
		s.seen = map[string]map[string]bool{}
	}
	if s.seen[r.URL.Path] == nil {
		s.seen[r.URL.Path] = map[string]bool{}
	}
	s.seen[r.URL.Path][scheme] = true
	s.mu.Unlock()
	return s.RoundTripper.RoundTrip(r)
}
