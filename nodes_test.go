package counterfoil_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/storetest"
)

// bound is the default of Config.Bound, and longest what another clock makes of
// it.
const bound = 2 * time.Second

var longest = store.Longest(bound)

// A node is a site on a store that it shares with others, behind a link of its
// own that can break.
type node struct {
	*site
	link  *faultSwitch
	calls atomic.Int64 // of the store, while somebody waits
}

var nodeSecret = &[32]byte{1, 2, 3}

// newNodes makes nodes on one store. Config has what the test wants of all.
func newNodes(t *testing.T, n int, st store.Store, c counterfoil.Config) []*node {
	t.Helper()
	nodes := make([]*node, n)
	for i := range nodes {
		n := &node{link: &faultSwitch{fault: storetest.Fault{Err: errDown}}}
		c.Store, c.Secret = n.link.store(st), nodeSecret
		c.OnStore = func(ctx context.Context, method string) (context.Context, func(error)) {
			if method == "Find" || method == "Values" || method == "List" {
				n.calls.Add(1)
			}
			return ctx, nil
		}
		n.site = newSite(t, c)
		nodes[i] = n
	}
	return nodes
}

// on is the same browser, talking to another node.
func (b *browser) on(n *node) *browser {
	c := b.copy()
	c.site = n.site
	return c
}

// status is how a node answers a request for which nothing is read.
func (n *node) status(b *browser) int {
	return n.handlerOnly(b.on(n).request("GET", "/", ""))
}

func (n *node) statusOfToken(token string) int { return n.handlerOnly(bearerRequest("GET", token)) }

// handlerOnly tells 200 from 401 by whether a user is there.
func (n *node) handlerOnly(r *http.Request) int {
	status := 401
	res := n.browser().pass(r, n.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if counterfoil.FromContext(r.Context()).Active() {
			status = 200
		}
	})))
	if res.StatusCode != 200 {
		return res.StatusCode
	}
	return status
}

// G1: "The node that served the logout refuses at once", and every other within
// the bound. In truth the hint takes it there much sooner.
func TestALogoutCountsOnEveryNode(t *testing.T) {
	for _, c := range []struct {
		why   string
		end   func(*testing.T, *node, *browser)
		hints bool
	}{
		{"a logout", func(t *testing.T, n *node, b *browser) { wantStatus(t, "logout", b.on(n).post("/logout"), 303) }, true},
		{"a logout, and no hint arrives", func(t *testing.T, n *node, b *browser) { wantStatus(t, "logout", b.on(n).post("/logout"), 303) }, false},
		{"all of the user's", func(t *testing.T, n *node, b *browser) { n.EndUser(t.Context(), "john") }, true},
		{"everybody's", func(t *testing.T, n *node, b *browser) { n.EndAll(t.Context()) }, true},
		{"everybody's, and no hint arrives", func(t *testing.T, n *node, b *browser) { n.EndAll(t.Context()) }, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var st store.Store = newMemory()
				if !c.hints {
					st = silentStore{st}
				}
				nodes := newNodes(t, 3, st, counterfoil.Config{})
				b := nodes[0].user("john")
				token := b.me().Token
				time.Sleep(bound + bound/20) // between two beats
				for i, n := range nodes {
					if s, u := n.status(b), n.statusOfToken(token); s != 200 || u != 200 {
						t.Fatalf("node %d before: cookie %d, token %d", i, s, u)
					}
				}
				c.end(t, nodes[1], b)
				if s, u := nodes[1].status(b), nodes[1].statusOfToken(token); s != 401 || u != 401 {
					t.Errorf("the node that served it: cookie %d, token %d", s, u)
				}
				synctest.Wait()
				if !c.hints {
					if s := nodes[0].status(b); s != 200 {
						t.Errorf("without a hint another node can't know yet: %d", s)
					}
					time.Sleep(bound * 1001 / 1000)
				}
				for i, n := range nodes {
					if s, u := n.status(b), n.statusOfToken(token); s != 401 || u != 401 {
						t.Errorf("node %d: cookie %d, token %d", i, s, u)
					}
				}
			})
		})
	}
}

// A silentStore gives no hints.
type silentStore struct{ store.Store }

func (s silentStore) Watch(ctx context.Context, _ func(store.Hint)) error {
	<-ctx.Done()
	return nil
}

func (s silentStore) InProcess() bool { return false }

// "A check asks nobody": neither a cookie nor a token costs a call of the store
// once the session was seen.
func TestACheckAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{})
		b := nodes[0].user("john")
		token := b.me().Token
		for _, n := range nodes {
			n.status(b)
			n.calls.Store(0)
			for range 100 {
				time.Sleep(100 * time.Millisecond)
				if s, u := n.status(b), n.statusOfToken(token); s != 200 || u != 200 {
					t.Fatalf("cookie %d, token %d", s, u)
				}
			}
			if calls := n.calls.Load(); calls != 0 {
				t.Errorf("200 checks made %d calls of the store", calls)
			}
		}
	})
}

// A session that has ended is asked about no more than one that lives: whoever
// goes on sending an old token puts no load on the store.
func TestACheckOfAnEndedSessionAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{})
		b := nodes[0].user("john")
		token := b.me().Token
		wantStatus(t, "logout", b.copy().post("/logout"), 303)
		time.Sleep(bound)
		for i, n := range nodes {
			n.calls.Store(0)
			for range 100 {
				if s, u := n.status(b), n.statusOfToken(token); s != 401 || u != 401 {
					t.Fatalf("node %d: cookie %d, token %d", i, s, u)
				}
			}
			if calls := n.calls.Load(); calls != 0 {
				t.Errorf("node %d: 200 checks made %d calls of the store", i, calls)
			}
			n.link.on.Store(true)
			time.Sleep(longest)
			if s, u := n.status(b), n.statusOfToken(token); s != 503 || u != 503 {
				t.Errorf("node %d, cut off: cookie %d, token %d, want 503 for everybody", i, s, u)
			}
			n.link.on.Store(false)
		}
	})
}

// While the lease has lapsed and the store proves nothing, no session is looked
// for: nobody could be let in, and the questions would keep the store busy.
func TestNobodyIsLookedForBeforeTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{})
		b := nodes[0].user("john")
		token := b.me().Token
		n := nodes[1] // which has never seen him
		n.link.methods = []string{"Beat"}
		n.link.on.Store(true)
		time.Sleep(longest)
		n.calls.Store(0)
		for range 100 {
			if s, u := n.status(b), n.statusOfToken(token); s != 503 || u != 503 {
				t.Fatalf("cookie %d, token %d", s, u)
			}
		}
		if calls := n.calls.Load(); calls != 0 {
			t.Errorf("200 checks made %d calls of the store", calls)
		}
		n.link.on.Store(false)
		time.Sleep(bound)
		if s, u := n.status(b), n.statusOfToken(token); s != 200 || u != 200 {
			t.Errorf("when the store proves again: cookie %d, token %d", s, u)
		}
	})
}

// 16.5.3: "closed when the bound can't be kept". A node that has lost the store
// goes on for as long as its lease lasts, then refuses with 503, never 401; and
// is there again as soon as the store is.
func TestACutNodeFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{})
		b := nodes[0].user("john")
		token := b.me().Token
		nodes[1].status(b)
		nodes[1].statusOfToken(token)
		time.Sleep(bound)
		nodes[1].link.on.Store(true)

		wantStatus(t, "logout", b.copy().on(nodes[0]).post("/logout"), 303)
		loggedOut := time.Now()
		var accepted time.Duration // the last time after the logout
		closed := time.Duration(0)
		for closed == 0 || time.Since(loggedOut) < 10*time.Second {
			s, u := nodes[1].status(b), nodes[1].statusOfToken(token)
			switch {
			case s == 200 || u == 200:
				accepted = time.Since(loggedOut)
				if closed > 0 {
					t.Fatalf("it accepts again after it had closed: cookie %d, token %d", s, u)
				}
			case s != 503 || u != 503:
				t.Fatalf("cookie %d, token %d: want 503, since nobody knows", s, u)
			case closed == 0:
				closed = time.Since(loggedOut)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if accepted > bound {
			t.Errorf("accepted %v after the logout, the bound is %v", accepted, bound)
		}
		nodes[1].link.on.Store(false)
		time.Sleep(bound / 5)
		if s, u := nodes[1].status(b), nodes[1].statusOfToken(token); s != 401 || u != 401 {
			t.Errorf("when the store is back: cookie %d, token %d", s, u)
		}
		if other := nodes[1].user("mary"); nodes[1].status(other) != 200 {
			t.Error("when the store is back nobody gets in")
		}
	})
}

// A primary that was deposed still answers reads. Nobody is let in on the
// strength of them.
func TestReadsOfADeposedPrimaryLetNobodyIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 1, newMemory(), counterfoil.Config{})
		n := nodes[0]
		b := n.user("john")
		token := b.me().Token
		time.Sleep(bound)
		n.link.methods = []string{"Beat"}
		n.link.on.Store(true)
		time.Sleep(bound)
		if s, u := n.status(b), n.statusOfToken(token); s != 503 || u != 503 {
			t.Errorf("cookie %d, token %d, want 503", s, u)
		}
	})
}

// Nor does a long request get a token on the strength of them.
func TestReadsOfADeposedPrimaryMakeNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNodes(t, 1, newMemory(), counterfoil.Config{})[0]
		n.user("john").within(func(ctx context.Context) {
			n.link.methods = []string{"Beat"}
			n.link.on.Store(true)
			time.Sleep(time.Minute)
			if _, err := n.IssueToken(ctx); !errors.Is(err, counterfoil.ErrUnavailable) {
				t.Errorf("IssueToken: %v, want ErrUnavailable", err)
			}
			n.link.on.Store(false)
			time.Sleep(bound)
			if _, err := n.IssueToken(ctx); err != nil {
				t.Errorf("IssueToken, when the store is back: %v", err)
			}
		})
	})
}

// G2: "Returns nil only when every node with a lease has acknowledged, or
// Δ·(1+2ρ) has passed. Any check that starts afterwards refuses."
func TestLogoutEverywhere(t *testing.T) {
	for _, c := range []struct {
		why           string
		break_        func(*node)
		least, most   time.Duration
		refusesWith   int
		othersAreSure bool
	}{
		{"every node acknowledges: at once", func(*node) {}, 0, 50 * time.Millisecond, 401, true},
		{"a node is cut off: when its lease has ended", func(n *node) { n.link.on.Store(true) }, bound / 2, longest, 503, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNodes(t, 3, newMemory(), counterfoil.Config{})
				b := nodes[0].user("john")
				token := b.me().Token
				for _, n := range nodes {
					n.status(b)
				}
				time.Sleep(longest) // a view that is new can't rule out that the store has lost its nodes
				c.break_(nodes[2])
				start := time.Now()
				b.within(func(ctx context.Context) {
					if err := nodes[0].LogoutEverywhere(ctx); err != nil {
						t.Errorf("LogoutEverywhere: %v", err)
					}
				})
				if took := time.Since(start); took < c.least || took > c.most {
					t.Errorf("it took %v, want %v to %v", took, c.least, c.most)
				}
				for i, want := range []int{401, 401, c.refusesWith} {
					if u := nodes[i].statusOfToken(token); u != want {
						t.Errorf("node %d answers %d, want %d", i, u, want)
					}
				}
			})
		})
	}
}

// A node that logs somebody out whose session others have ended with everybody's
// refuses it at once, and does not take the store for one that has lost it.
func TestALogoutAfterEverybodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &mergedStore{Store: silentStore{newMemory()}}
		nodes := newNodes(t, 2, st, counterfoil.Config{})
		b := nodes[0].user("john")
		nodes[1].status(b)
		time.Sleep(bound + bound/20) // between two beats
		if _, err := nodes[0].EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "logout", b.copy().on(nodes[1]).post("/logout"), 303)
		if s := nodes[1].status(b); s != 401 {
			t.Errorf("the node that served the logout: %d", s)
		}
		time.Sleep(10 * bound)
		if n := st.merges.Load(); n > 0 {
			t.Errorf("the store was given back %d times what it had not lost", n)
		}
	})
}

type mergedStore struct {
	store.Store
	merges atomic.Int64
}

func (s *mergedStore) Merge(ctx context.Context, entries []store.Entry) error {
	s.merges.Add(1)
	return s.Store.Merge(ctx, entries)
}

// An operator is told that a session has ended when a write says so: a primary
// that was deposed may not know of it.
func TestEndBelievesNoRead(t *testing.T) {
	st := newMemory()
	n := newNodes(t, 1, &blindStore{silentStore{st}}, counterfoil.Config{})[0]
	session, err := st.Create(t.Context(), store.Creation{
		Session:  store.Session{ID: store.NewSID(time.Now()), User: "john", Idle: time.Hour},
		Lifetime: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.End(t.Context(), session.ID.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Find(t.Context(), session.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after End returned nil the session lives: %v", err)
	}
}

// A blindStore finds nothing.
type blindStore struct{ store.Store }

func (blindStore) Find(context.Context, store.SID) (store.Session, error) {
	return store.Session{}, store.ErrNotFound
}

// A session that was read before its end, and is remembered after it, would live
// again. Here the answer of the store is held back while the end comes in.
func TestALateAnswerIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		late := &lateStore{Store: st, release: make(chan struct{})}
		s := newSite(t, counterfoil.Config{Store: late})
		b := s.user("john")
		rows, err := st.List(t.Context(), store.Query{User: "john"})
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		fresh := newSite(t, counterfoil.Config{Store: late}) // it has not seen the session
		late.hold.Store(true)
		answered := make(chan int)
		go func() { answered <- (&node{site: fresh}).status(b) }()
		synctest.Wait() // the store has answered, and the answer is on its way
		if _, err := st.End(t.Context(), rows[0].ID, 12*time.Minute); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the end is known
		late.hold.Store(false)
		close(late.release)
		if got := <-answered; got != 401 {
			t.Errorf("the request that was under way: %d, want 401", got)
		}
		for range 30 { // until long after the end is forgotten
			if got := (&node{site: fresh}).status(b); got != 401 {
				t.Fatalf("later: %d, want 401", got)
			}
			time.Sleep(time.Minute)
		}
	})
}

// The end of everybody's sessions is stamped before it is committed, and a store
// with many readers answers meanwhile: that a session was seen live after the
// stamp does not show that it has outlived the cut.
func TestALateAnswerFromBeforeTheCutIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		late := &lateStore{Store: st, release: make(chan struct{}), committing: 20 * time.Millisecond}
		b := newSite(t, counterfoil.Config{Store: late}).user("john")
		fresh := newSite(t, counterfoil.Config{Store: late}) // it has not seen the session
		late.hold.Store(true)
		answered := make(chan int)
		go func() { answered <- (&node{site: fresh}).status(b) }()
		synctest.Wait() // the store has answered, and the answer is on its way
		if _, err := st.EndAll(t.Context(), 12*time.Minute); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the cut is known
		late.hold.Store(false)
		close(late.release)
		if got := <-answered; got != 401 {
			t.Errorf("the request that was under way: %d, want 401", got)
		}
		time.Sleep(bound)
		if got := (&node{site: fresh}).status(b); got != 401 {
			t.Errorf("a bound later: %d, want 401", got)
		}
	})
}

// A lateStore holds back what Find has found. It may also find it while another
// transaction is about to commit, that long after it has read the clock.
type lateStore struct {
	store.Store
	hold       atomic.Bool
	release    chan struct{}
	committing time.Duration
}

func (l *lateStore) InProcess() bool { return false }

func (l *lateStore) Find(ctx context.Context, id store.SID) (store.Session, error) {
	s, err := l.Store.Find(ctx, id)
	if l.hold.Load() {
		s.AsOf = s.AsOf.Add(l.committing)
		<-l.release
	}
	return s, err
}

// "A token minted from memory takes its exp from the store's time at the
// lease's proof": a node that sleeps before it signs gives out no token that
// outlives the log's memory of the session's end.
func TestATokenFromMemoryCountsFromTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNodes(t, 1, newMemory(), counterfoil.Config{})[0]
		b := n.user("john")
		n.status(b)
		time.Sleep(time.Minute)
		n.link.on.Store(true) // no proof from now on
		cut := time.Now()
		time.Sleep(bound / 2)
		b.within(func(ctx context.Context) {
			token, err := n.IssueToken(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var claims jwt.RegisteredClaims
			if _, _, err := jwt.NewParser().ParseUnverified(token.Token, &claims); err != nil {
				t.Fatal(err)
			}
			if life := claims.ExpiresAt.Sub(cut); life > 10*time.Minute {
				t.Errorf("it expires %v after the last proof, want 10m at most", life)
			}
		})
		n.link.on.Store(false) // the end of the test saves last-seen times
	})
}

// The store has expired what this process remembers, or another node has kept
// alive what it believes expired: the store is asked.
func TestIdleTimeoutsHoldOnEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{})
		b := nodes[0].user("john")
		for _, n := range nodes {
			n.status(b)
		}
		for range 10 { // used on one node only
			time.Sleep(10 * time.Minute)
			if s := nodes[0].status(b); s != 200 {
				t.Fatalf("used every ten minutes: %d", s)
			}
		}
		if s := nodes[1].status(b); s != 200 {
			t.Errorf("the other node: %d", s)
		}
		time.Sleep(time.Hour)
		for i, n := range nodes {
			if s := n.status(b); s != 401 {
				t.Errorf("unused for an hour, node %d: %d", i, s)
			}
		}
	})
}

// Config.OnBeat and Status: how fresh the view is.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var beats atomic.Int64
		n := newNodes(t, 1, newMemory(), counterfoil.Config{
			Canary: 10 * time.Second,
			OnBeat: func(s counterfoil.Status) { beats.Add(1) },
		})[0]
		time.Sleep(time.Minute)
		s := n.Status()
		if !s.Proven || s.Left > bound || s.Left < bound/2 || s.Age > bound/2 {
			t.Errorf("while all is well: %+v", s)
		}
		if s.Canary == 0 || s.Canary > bound/5 {
			t.Errorf("the canary was accepted for %v after its logout", s.Canary)
		}
		if n := beats.Load(); n < 140 || n > 160 {
			t.Errorf("%d beats a minute, want 150", n)
		}
		if err := n.Ready(t.Context()); err != nil {
			t.Errorf("ready: %v", err)
		}
		n.link.on.Store(true)
		time.Sleep(bound)
		if s := n.Status(); s.Proven || s.Left != 0 || s.Age < bound {
			t.Errorf("without the store: %+v", s)
		}
		if err := n.Ready(t.Context()); !errors.Is(err, counterfoil.ErrUnavailable) {
			t.Errorf("ready: %v", err)
		}
	})
}

// A node starts though the outcome of its first beat is not known at first.
func TestANodeStartsWhileTheStoreIsUnclear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unclear := &faultSwitch{methods: []string{"Beat"}, fault: storetest.Fault{Err: store.ErrIndeterminate, Applied: true}}
		unclear.on.Store(true)
		time.AfterFunc(250*time.Millisecond, func() { unclear.on.Store(false) })
		s := newSite(t, counterfoil.Config{Store: unclear.store(newMemory())})
		if b := s.user("john"); (&node{site: s}).status(b) != 200 {
			t.Error("nobody gets in")
		}
	})
}

// Whoever comes while the store hangs is told so within the bound, and does not
// wait for the store's own patience.
func TestAStoreThatHangsIsToldInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{})
		b := nodes[0].user("john")
		time.Sleep(bound)
		nodes[1].link.fault = storetest.Fault{Hang: true}
		nodes[1].link.on.Store(true) // the second node has not seen the session
		start := time.Now()
		if s := nodes[1].status(b); s != 503 {
			t.Errorf("status %d, want 503", s)
		}
		if took := time.Since(start); took > bound {
			t.Errorf("it took %v, want %v at most", took, bound)
		}
	})
}

// A logout counts everywhere though the store has lost the session meanwhile, as
// after a restore of an older backup: the log tells of it all the same.
func TestALogoutOfASessionThatTheStoreHasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &forgetfulStore{Store: newMemory()}
		nodes := newNodes(t, 2, st, counterfoil.Config{})
		b := nodes[0].user("john")
		token := b.me().Token
		nodes[1].status(b)
		rows, err := st.List(t.Context(), store.Query{User: "john"})
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		st.lost.Store(true) // from now on it does not know the session, and has no log of its end
		wantStatus(t, "logout", b.copy().on(nodes[0]).post("/logout"), 303)
		if s := nodes[0].statusOfToken(token); s != 401 {
			t.Errorf("the node that served it: %d", s)
		}
		news, err := st.Snapshot(t.Context())
		if err != nil || len(news.Entries) == 0 || news.Entries[len(news.Entries)-1].Session != rows[0].ID {
			t.Errorf("the log does not tell: %+v, %v", news, err)
		}
		synctest.Wait()
		if s := nodes[1].statusOfToken(token); s != 401 {
			t.Errorf("the other node: %d", s)
		}
	})
}

// A forgetfulStore ends nothing once it has lost its sessions.
type forgetfulStore struct {
	store.Store
	lost atomic.Bool
}

func (f *forgetfulStore) InProcess() bool { return false }

func (f *forgetfulStore) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	if f.lost.Load() {
		id = store.NewSID(time.Now()) // which is not there
	}
	return f.Store.End(ctx, id, retain)
}

// A node to which nothing has happened for a while, whether it is between two
// beats or was stopped, knows no time but an old one. A token that was issued
// since is none from the future.
func TestANewTokenOnAnIdleNode(t *testing.T) {
	for _, bound := range []time.Duration{2 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			nodes := newNodes(t, 2, silentStore{newMemory()}, counterfoil.Config{Bound: bound})
			for range 10 {
				time.Sleep(bound/3 + time.Second)
				token := nodes[0].user("john").me().Token
				if status := nodes[1].statusOfToken(token); status != 200 {
					t.Errorf("with a bound of %v: %d", bound, status)
				}
				if _, err := nodes[1].Introspect(t.Context(), token); err != nil {
					t.Errorf("with a bound of %v: %v", bound, err)
				}
			}
		})
	}
}
