package counterfoil_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/storetest"
)

// A faultSwitch breaks one method of a store while it is on.
type faultSwitch struct {
	on      atomic.Bool
	methods []string
	fault   storetest.Fault
}

func (f *faultSwitch) store(inner store.Store) store.Store {
	return storetest.Faulty{Store: inner, Fault: func(method string) storetest.Fault {
		if f.on.Load() && (f.methods == nil || slices.Contains(f.methods, method)) {
			return f.fault
		}
		return storetest.Fault{}
	}}
}

var errDown = errors.New("dial tcp 192.0.2.7:5432: connection refused")

// 16.5.3: while the store does not answer, everything is refused with 503 and
// Retry-After, never with 401, and the cause is not told. Afterwards all is as
// before.
func TestStoreDown(t *testing.T) {
	down := &faultSwitch{fault: storetest.Fault{Err: errDown}}
	s := newSite(t, counterfoil.Config{Store: down.store(newMemory()), Bound: -1})
	b := s.user("john")
	token := b.me().Token
	grant := s.client("john")

	down.on.Store(true)
	for _, c := range []struct {
		why string
		do  func() *http.Response
	}{
		{"a request by cookie", func() *http.Response { return b.get("/me") }},
		{"a form", func() *http.Response { return b.post("/nothing") }},
		{"a logout", func() *http.Response { return b.post("/logout") }},
		{"a request by token", func() *http.Response { return s.bearer(token) }},
		{"a first visit", func() *http.Response { return s.browser().get("/form") }},
	} {
		t.Run(c.why, func(t *testing.T) {
			res := c.do()
			text := body(res)
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
				t.Errorf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
			}
			if strings.Contains(text, "192.0.2.7") {
				t.Errorf("the visitor is told: %s", text)
			}
			if len(res.Cookies()) > 0 {
				t.Errorf("cookies were touched: %v", res.Cookies())
			}
		})
	}
	if _, err := s.Refresh(t.Context(), grant.RefreshToken); !errors.Is(err, counterfoil.ErrUnavailable) {
		t.Errorf("refresh: %v", err)
	}
	if _, err := s.EndUser(t.Context(), "john"); !errors.Is(err, counterfoil.ErrUnavailable) {
		t.Errorf("ending: %v", err)
	}

	down.on.Store(false)
	if b.me().User != "john" {
		t.Error("the session is lost")
	}
	wantStatus(t, "the token", s.bearer(token), 200)
	s.refresh(grant.RefreshToken)
}

// A logout is told as done only when it is done.
func TestLogoutUnderFaults(t *testing.T) {
	for _, c := range []struct {
		why    string
		fault  storetest.Fault
		status int
		dead   bool
	}{
		{"done, but the store reports that it can't tell", storetest.Fault{Err: store.ErrIndeterminate, Applied: true}, 503, true},
		{"not done, and the store can't tell", storetest.Fault{Err: store.ErrIndeterminate}, 503, false},
		{"not done, and the store says so", storetest.Fault{Err: errDown}, 503, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			fault := &faultSwitch{methods: []string{"End"}, fault: c.fault}
			s := newSite(t, counterfoil.Config{Store: fault.store(newMemory())})
			b := s.user("john")
			fault.on.Store(true)
			wantStatus(t, "logout", b.post("/logout"), c.status)
			fault.on.Store(false)
			if dead := b.me().User == ""; dead != c.dead {
				t.Errorf("dead: %v", dead)
			}
			wantStatus(t, "the second try", b.post("/logout"), map[bool]int{true: 403, false: 303}[c.dead])
			if b.me().User != "" {
				t.Error("still logged in")
			}
		})
	}
}

// An outcome that is unknown for a moment is asked again, and the visitor does
// not notice.
func TestLogoutIsRepeatedWhenUnclear(t *testing.T) {
	var left atomic.Int32
	st := storetest.Faulty{Store: newMemory(), Fault: func(method string) storetest.Fault {
		if method == "End" && left.Add(-1) >= 0 {
			return storetest.Fault{Err: store.ErrIndeterminate, Applied: left.Load()%2 == 0}
		}
		return storetest.Fault{}
	}}
	s := newSite(t, counterfoil.Config{Store: st})
	b := s.user("john")
	left.Store(3)
	wantStatus(t, "logout", b.post("/logout"), 303)
}

// The client hangs up during the logout: it happens all the same.
func TestLogoutGoesOnWhenTheClientHangsUp(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, hangUp := context.WithCancel(r.Context())
		hangUp()
		if err := s.Logout(ctx); err != nil {
			t.Error(err)
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/", ""))
	if b.me().User != "" {
		t.Error("still logged in")
	}
}

// So are the values that a handler has set: its work is done.
func TestValuesAreSavedWhenTheClientHangsUp(t *testing.T) {
	onEachStore(t, testValuesAreSavedWhenTheClientHangsUp)
}

func testValuesAreSavedWhenTheClientHangsUp(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	b := s.user("john")
	ctx, hangUp := context.WithCancel(t.Context())
	h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counter.Set(r.Context(), 5)
		hangUp()
	}))
	h.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/", "").WithContext(ctx))
	if got := b.values(); got != 5 {
		t.Errorf("the value is %d", got)
	}
}

// A store that hangs keeps the answer waiting for ten seconds, and then the
// visitor learns that nothing was saved.
func TestAStoreThatHangsEndsTheSaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &faultSwitch{methods: []string{"SaveValues"}}
		hang.fault.Hang = true
		s := newSite(t, counterfoil.Config{Store: hang.store(newMemory())})
		b := s.user("john")
		hang.on.Store(true)
		start, answered := time.Now(), make(chan *http.Response, 1)
		go func() {
			answered <- b.handle(func(w http.ResponseWriter, r *http.Request) { counter.Set(r.Context(), 1) })
		}()
		select {
		case res := <-answered:
			wantStatus(t, "the answer", res, 503)
		case <-time.After(time.Minute):
			t.Error("no answer")
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// req 46: a request that can't be judged in time is never answered with 200.
func TestACancelledCheckIsNotAccepted(t *testing.T) {
	slow := &faultSwitch{methods: []string{"Find"}, fault: storetest.Fault{Hang: true}}
	s := newSite(t, counterfoil.Config{Store: slow.store(newMemory()), Bound: -1})
	b := s.user("john")
	slow.on.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	wantStatus(t, "a check that took too long", b.do(b.request("GET", "/me", "").WithContext(ctx)), 503)
}

// D1 under faults: a login whose outcome is unknown gives no cookie, so a
// session that may exist belongs to nobody.
func TestLoginWithUnknownOutcomeGivesNoCookie(t *testing.T) {
	fault := &faultSwitch{methods: []string{"Create"}, fault: storetest.Fault{Err: store.ErrIndeterminate, Applied: true}}
	s := newSite(t, counterfoil.Config{Store: fault.store(newMemory())})
	b := s.visitor()
	fault.on.Store(true)
	res := b.post("/login", "user", "john")
	if res.StatusCode != 503 || len(res.Cookies()) != 0 {
		t.Errorf("status %d, cookies %v", res.StatusCode, res.Cookies())
	}
}

// A store that claims success for a write that it lost breaks the contract.
// Even then nothing is accepted that should not be: the cookie of a session
// that is not there opens nothing.
func TestALyingStoreOpensNothing(t *testing.T) {
	fault := &faultSwitch{methods: []string{"Create"}, fault: storetest.Fault{DangerouslyLost: true}}
	s := newSite(t, counterfoil.Config{Store: fault.store(newMemory())})
	b := s.visitor()
	fault.on.Store(true)
	b.post("/login", "user", "john")
	if me := b.me(); me.User != "" {
		t.Errorf("logged in as %+v", me)
	}
}
