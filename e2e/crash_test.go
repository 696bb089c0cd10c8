package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	kills     = 30 // or more, until they have cut enough off
	customers = 4  // how many work at once, each with sessions of his own
	maxOpen   = 8  // sessions that a customer keeps
	names     = 10 // users that a customer logs in as, in turn
)

// TestKill9UnderLoad kills the server in the middle of its work, again and
// again, on one database file, and asks after each restart what it remembers.
//
//   - G0, req 28: an acknowledged logout holds, at every door: cookie, access
//     token, refresh token.
//   - G0: an acknowledged login is not lost, nor is an acknowledged refresh.
//   - req 41: a client whose refresh was cut off still gets in with the token
//     that it has.
//   - What was cut off before the answer may have happened or not; but all doors
//     agree about it, and they do not change their minds.
func TestKill9UnderLoad(t *testing.T) {
	site := newSite(t)
	all := make([]*customer, customers)
	for i := range all {
		all[i] = &customer{name: fmt.Sprintf("customer%d-", i)}
	}
	everyone(all, func(c *customer) error { return c.register(site) })
	first := site.serve("--max-sessions=0")
	everyone(all, func(c *customer) error { return c.introduce(first.url) })
	first.stop()
	round := 0
	for ; round < kills || round < 3*kills && !enough(all); round++ {
		p := site.serve("--max-sessions=0")
		everyone(all, func(c *customer) error { return c.verify(p.url) })
		underLoad(p, all)
		for _, c := range all {
			if c.err != nil {
				t.Fatalf("round %d: %v\n%s", round, c.err, p.log)
			}
		}
	}
	p := site.serve("--max-sessions=0")
	everyone(all, func(c *customer) error { return c.verify(p.url) })
	everyone(all, func(c *customer) error { return c.verifyPast(p.url) })
	for _, c := range all {
		check(t, c.err)
	}
	if !enough(all) {
		t.Errorf("too little happened for the test to mean something")
	}
	sum := total(all)
	t.Logf("%d kills; acknowledged: %d logins, %d refreshes, %d logouts; cut off: %d refreshes or logouts; turned away: %d logins",
		round, sum.logins, sum.refreshes, sum.logouts, sum.cutOff, sum.turnedAway)
}

// underLoad kills the server at a random moment of the customers' work: after so
// many answers, and a little more, so that a slow machine gets as far as a fast
// one.
func underLoad(p *process, all []*customer) {
	answers := make(chan struct{}, 1000)
	var load sync.WaitGroup
	load.Go(func() {
		everyone(all, func(c *customer) error { return c.work(p.url, answers) })
		close(answers)
	})
	for range 20 + rand.IntN(60) {
		<-answers
	}
	time.Sleep(rand.N(20 * time.Millisecond))
	p.kill()
	for range answers {
	}
	load.Wait()
}

// enough reports whether the kills have hit what they are for. Most hit a login,
// which takes its time.
func enough(all []*customer) bool {
	sum := total(all)
	return min(sum.logins, sum.logouts, sum.refreshes) >= kills && sum.cutOff >= kills/10
}

func total(all []*customer) (sum customer) {
	for _, c := range all {
		sum.add(c)
	}
	return sum
}

func everyone(all []*customer, do func(*customer) error) {
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() {
			if c.err == nil {
				c.err = do(c)
			}
		})
	}
	wg.Wait()
}

// A customer logs in and out, and writes down what the server acknowledged.
//
// He has several names, and is turned away under one now and then: a login that
// was cut off has no outcome, so that for a minute it counts as a guess that may
// have failed (D15).
type customer struct {
	name  string
	tried int // logins

	open   []*client // logged in, and not out
	unsure []*client // a logout was sent, and no answer came
	ended  []*client // logged out since the last check
	past   []*client // logged out, and refused at the last check
	err    error

	logins, logouts, refreshes int // acknowledged
	cutOff                     int // sent, and no answer came
	turnedAway                 int // by the throttle
}

func (c *customer) add(other *customer) {
	c.logins += other.logins
	c.logouts += other.logouts
	c.refreshes += other.refreshes
	c.cutOff += other.cutOff
	c.turnedAway += other.turnedAway
}

func (c *customer) register(s *site) error {
	for i := range names {
		if o := s.commandWith(password, "user", "add", fmt.Sprint(c.name, i), "--password-stdin"); o.status != 0 {
			return fmt.Errorf("%s: %s", o.command, o.stderr)
		}
	}
	return nil
}

// introduce logs in under every name once: a place from where a user has logged
// in is his own to the throttle, whatever others do there.
func (c *customer) introduce(base string) error {
	for range names {
		if err := c.login(base); err != nil {
			return err
		}
	}
	return nil
}

// errCutOff says that the server went away in the middle of a request.
var errCutOff = errors.New("cut off")

// cutOff tells a connection that broke from an answer that is wrong.
func cutOff(err error) error {
	if unreachable := (*url.Error)(nil); errors.As(err, &unreachable) {
		return errCutOff
	}
	return err
}

// work keeps the server busy until it goes away. It reports each answer.
func (c *customer) work(base string, answers chan<- struct{}) error {
	for {
		err := c.step(base)
		if errors.Is(err, errCutOff) {
			return nil
		}
		if err != nil {
			return err
		}
		answers <- struct{}{}
	}
}

func (c *customer) step(base string) error {
	switch dice := rand.IntN(10); {
	case len(c.open) == 0, dice < 1 && len(c.open) < maxOpen: // a login takes the time of many others
		return c.login(base)
	case dice < 8:
		return c.refresh(base, c.open[rand.IntN(len(c.open))])
	default:
		return c.logout(base, rand.IntN(len(c.open)))
	}
}

func (c *customer) login(base string) error {
	login := loginAPI
	if rand.IntN(3) == 0 {
		login = loginForm
	}
	name := fmt.Sprint(c.name, c.tried%names)
	c.tried++
	s, err := login(base, name, password)
	if refused := (*statusError)(nil); errors.As(err, &refused) && refused.status == http.StatusTooManyRequests {
		c.turnedAway++
		return nil
	}
	if err != nil {
		return cutOff(err)
	}
	if s.user != name {
		return fmt.Errorf("%s logged in and got a session of %s", name, s.user)
	}
	c.logins++
	c.open = append(c.open, s)
	return nil
}

// refresh gets new tokens for a session.
func (c *customer) refresh(base string, s *client) error {
	if s.refresh == "" {
		return cutOff(s.lookAround(base))
	}
	doors := s.doors()
	a, err := doors[len(doors)-1].send(base)
	if err != nil {
		c.cutOff++
		return cutOff(err)
	}
	if a.status != http.StatusOK {
		return &statusError{"refresh", a}
	}
	c.refreshes++
	return s.take(a)
}

// logout ends a session in one of the three ways that there are.
func (c *customer) logout(base string, i int) error {
	s := c.open[i]
	c.open = slices.Delete(c.open, i, i+1)
	r, want := request{method: "DELETE", path: "/v1/session", bearer: s.access}, http.StatusNoContent
	if s.cookie != "" && rand.IntN(2) == 0 {
		r, want = request{method: "POST", path: "/logout", cookie: s.cookie, form: url.Values{"csrf_token": {s.csrf}}}, http.StatusSeeOther
	} else if s.cookie != "" {
		r = request{method: "DELETE", path: "/v1/session", cookie: s.cookie, csrf: s.csrf}
	}
	a, err := r.send(base)
	if err != nil {
		c.cutOff++
		c.unsure = append(c.unsure, s)
		return cutOff(err)
	}
	if a.status != want {
		return &statusError{"log out", a}
	}
	c.logouts++
	c.ended = append(c.ended, s)
	return nil
}

// verify asks the server, which has just started, about what was acknowledged
// and what was cut off.
func (c *customer) verify(base string) error {
	for _, s := range c.open {
		if err := s.mustBe(base, true, "an acknowledged login is lost"); err != nil {
			return err
		}
	}
	for _, s := range c.ended {
		if err := s.mustBe(base, false, "it lives after an acknowledged logout"); err != nil {
			return err
		}
	}
	for _, s := range c.unsure {
		in, err := letsIn(base, s)
		if err == nil {
			err = s.mustBe(base, in, "its logout was cut off, and the server can't make up its mind")
		}
		if err != nil {
			return err
		}
		if in {
			c.open = append(c.open, s)
		} else {
			c.ended = append(c.ended, s)
		}
	}
	c.past = append(c.past, c.ended...)
	c.ended, c.unsure = nil, nil
	return nil
}

// verifyPast asks about every session that was ever logged out.
func (c *customer) verifyPast(base string) error {
	for _, s := range c.past {
		if err := s.mustBe(base, false, "it lives again"); err != nil {
			return err
		}
	}
	return nil
}

func (s *client) mustBe(base string, want bool, broken string) error {
	in, err := letsIn(base, s)
	if err == nil && in != want {
		err = errors.New(broken)
	}
	if err != nil {
		return fmt.Errorf("session %s: %w", s.sid, err)
	}
	return nil
}
