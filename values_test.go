package counterfoil_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestValues(t *testing.T) {
	type item struct {
		Name  string
		Price int
	}
	cart := counterfoil.NewKey[[]item]("cart")
	note := counterfoil.NewKey[string]("note")
	s := newSite(t, counterfoil.Config{})
	b := s.browser()

	b.within(func(ctx context.Context) {
		if v, err := note.Get(ctx); v != "" || err != nil {
			t.Errorf("a value that was never set: %q, %v", v, err)
		}
		note.Set(ctx, "first")
		if v, _ := note.Get(ctx); v != "first" {
			t.Errorf("a request does not see its own change: %q", v)
		}
		cart.Set(ctx, []item{{"pen", 2}})
	})
	b.within(func(ctx context.Context) {
		v, err := cart.Get(ctx)
		if err != nil || len(v) != 1 || v[0] != (item{"pen", 2}) {
			t.Errorf("cart is %v, %v", v, err)
		}
		cart.Delete(ctx)
		if err := note.Update(ctx, func(s string) (string, error) { return s + " and more", nil }); err != nil {
			t.Error(err)
		}
	})
	b.within(func(ctx context.Context) {
		if v, err := cart.Get(ctx); v != nil || err != nil {
			t.Errorf("a deleted value: %v, %v", v, err)
		}
		if v, _ := note.Get(ctx); v != "first and more" {
			t.Errorf("an updated value: %q", v)
		}
		wrong := counterfoil.NewKey[int]("note")
		if _, err := wrong.Get(ctx); err == nil {
			t.Error("a string was read as an int")
		}
		refused := errors.New("refused")
		if err := note.Update(ctx, func(string) (string, error) { return "", refused }); err != refused {
			t.Errorf("Update returned %v, not the error of its function", err)
		}
	})
}

// A value that can't be kept is an error where it is set, and 413 where the
// session is over its size.
func TestValuesAreBounded(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	big := counterfoil.NewKey[string]("big")
	other := counterfoil.NewKey[string]("other")
	b := s.user("john")
	b.within(func(ctx context.Context) {
		if err := big.Set(ctx, strings.Repeat("x", store.MaxValues)); !errors.Is(err, counterfoil.ErrTooLarge) {
			t.Errorf("error %v", err)
		}
		fn := counterfoil.NewKey[any]("fn")
		if err := fn.Set(ctx, func() {}); err == nil {
			t.Error("a function was kept")
		}
	})
	rec := httptest.NewRecorder()
	s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		big.Set(r.Context(), strings.Repeat("x", store.MaxValues-100))
		other.Set(r.Context(), strings.Repeat("x", 200))
	})).ServeHTTP(rec, b.request("GET", "/", ""))
	if rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", rec.Code)
	}
}

// D2: two requests that set different keys both win, though each read the
// session before the other wrote.
func TestConcurrentSetsOfDifferentKeysBothWin(t *testing.T) {
	onEachStore(t, testConcurrentSetsOfDifferentKeysBothWin)
}

func testConcurrentSetsOfDifferentKeysBothWin(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	b := s.user("john")
	const n = 64
	keys := make([]counterfoil.Key[int], n)
	for i := range keys {
		keys[i] = counterfoil.NewKey[int](fmt.Sprint("key", i))
	}
	var read, done sync.WaitGroup
	read.Add(n)
	for i := range n {
		done.Go(func() {
			b.copy().within(func(ctx context.Context) {
				keys[i].Get(ctx)
				read.Done()
				read.Wait() // all have read, none has written
				if err := keys[i].Set(ctx, i+1); err != nil {
					t.Error(err)
				}
			})
		})
	}
	done.Wait()
	b.within(func(ctx context.Context) {
		for i := range keys {
			if v, err := keys[i].Get(ctx); v != i+1 || err != nil {
				t.Errorf("key %d is %d, %v", i, v, err)
			}
		}
	})
}

// D2: an Update is atomic: no increment is lost.
func TestConcurrentUpdates(t *testing.T) { onEachStore(t, testConcurrentUpdates) }

func testConcurrentUpdates(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	b := s.user("john")
	const n = 64
	var done sync.WaitGroup
	for range n {
		done.Go(func() { wantStatus(t, "count", b.copy().get("/count"), 200) })
	}
	done.Wait()
	if got := b.me().Counter; got != n {
		t.Errorf("%d of %d increments", got, n)
	}
}

// A countingStore counts the calls of each method.
func countingConfig() (counterfoil.Config, func(method string) int) {
	var mu sync.Mutex
	calls := map[string]int{}
	config := counterfoil.Config{OnStore: func(ctx context.Context, method string) (context.Context, func(error)) {
		mu.Lock()
		defer mu.Unlock()
		calls[method]++
		return ctx, nil
	}}
	return config, func(method string) int {
		mu.Lock()
		defer mu.Unlock()
		return calls[method]
	}
}

// D7: values are read when they are touched, and written when they change.
func TestStoreIsAskedOnlyWhenNeeded(t *testing.T) {
	config, calls := countingConfig()
	s := newSite(t, config)
	b := s.user("john")
	b.within(func(ctx context.Context) { counter.Set(ctx, 5) })
	for _, c := range []struct {
		why                 string
		do                  func(context.Context)
		find, values, saves int
	}{
		{"identity needs no values", func(ctx context.Context) { counterfoil.FromContext(ctx).User() }, 1, 0, 0},
		{"a value is read once for a request", func(ctx context.Context) { counter.Get(ctx); counter.Get(ctx) }, 1, 1, 0},
		{"what is set to what it was is not written", func(ctx context.Context) { counter.Set(ctx, 5) }, 1, 1, 0},
		{"what is changed is written once", func(ctx context.Context) { counter.Set(ctx, 6); counter.Set(ctx, 7) }, 1, 1, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			before := [...]int{calls("Find"), calls("Values"), calls("SaveValues"), calls("Touch")}
			b.within(c.do)
			after := [...]int{calls("Find"), calls("Values"), calls("SaveValues"), calls("Touch")}
			want := [...]int{c.find, c.values, c.saves, 0}
			for i := range want {
				if after[i]-before[i] != want[i] {
					t.Errorf("calls of Find, Values, SaveValues, Touch: %v, want %v more", after, want)
					break
				}
			}
		})
	}
}

// D1: a slow request that only read, or wrote, the session ends after the
// logout. Nothing lives again.
func TestLogoutIsNotUndoneByAConcurrentRequest(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(ctx context.Context) error
		want   int
	}{
		{"a read", func(ctx context.Context) error { _, err := counter.Get(ctx); return err }, 200},
		{"a write", func(ctx context.Context) error { return counter.Set(ctx, 1) }, 401},
	} {
		t.Run(c.why, func(t *testing.T) {
			memory := memory.New(memory.Config{})
			s := newSite(t, counterfoil.Config{Store: memory, IdleTimeout: 100 * time.Millisecond})
			b := s.user("john")
			slow, admitted, loggedOut := httptest.NewRecorder(), make(chan bool), make(chan bool)
			go func() {
				<-admitted
				wantStatus(t, "logout", b.copy().post("/logout"), 303)
				close(loggedOut)
			}()
			s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := c.change(r.Context()); err != nil {
					t.Error(err)
				}
				close(admitted)
				<-loggedOut
			})).ServeHTTP(slow, b.request("GET", "/", ""))
			if slow.Code != c.want {
				t.Errorf("the slow request got %d, want %d", slow.Code, c.want)
			}
			if me := b.me(); me.User != "" {
				t.Error("the session lives again")
			}
			if rows, err := memory.List(t.Context(), store.Query{User: "john"}); err != nil || len(rows) != 0 {
				t.Errorf("the store holds %d sessions of john, %v", len(rows), err)
			}
		})
	}
}

// A Set that waits for the commit goes where its user goes: along with his own
// login, and never into another user's session.
func TestPendingChangesStayWithTheirUser(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	for _, c := range []struct {
		why        string
		browser    *browser
		user       string
		want, then int // in the same request, and in the next
	}{
		{"a visitor's go along with his login", s.visitor(), "john", 42, 42},
		{"john's go along with his second login", s.user("john"), "john", 42, 42},
		{"john's don't pass to mary", s.user("john"), "mary", 0, 0},
	} {
		t.Run(c.why, func(t *testing.T) {
			c.browser.within(func(ctx context.Context) {
				counter.Set(ctx, 42)
				if err := s.Login(ctx, counterfoil.Login{User: c.user, InsecureAllowGET: true}); err != nil {
					t.Fatal(err)
				}
				if got, err := counter.Get(ctx); got != c.want || err != nil {
					t.Errorf("after the login the value is %d, %v, want %d", got, err, c.want)
				}
			})
			if me := c.browser.me(); me.User != c.user || me.Counter != c.then {
				t.Errorf("%+v, want the value %d", me, c.then)
			}
		})
	}
}

// What was read before a login is not what the new session holds.
func TestValuesAreReadAnewAfterALogin(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	b.get("/count")
	b.within(func(ctx context.Context) {
		if got, _ := counter.Get(ctx); got != 1 {
			t.Errorf("john's value is %d", got)
		}
		if err := s.Login(ctx, counterfoil.Login{User: "mary", InsecureAllowGET: true}); err != nil {
			t.Fatal(err)
		}
		if got, err := counter.Get(ctx); got != 0 || err != nil {
			t.Errorf("mary reads john's value %d, %v", got, err)
		}
	})
}

// Update sees what this request has set and what others have saved, and so does
// whoever reads after it.
func TestUpdateSeesTheNewest(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	other := counterfoil.NewKey[int]("other")
	increment := func(n int) (int, error) { return n + 1, nil }
	want := func(ctx context.Context, what string, key counterfoil.Key[int], want int) {
		t.Helper()
		if got, err := key.Get(ctx); got != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", what, got, err, want)
		}
	}
	b.within(func(ctx context.Context) {
		counter.Set(ctx, 5)
		if err := counter.Update(ctx, increment); err != nil {
			t.Error(err)
		}
		want(ctx, "set, then updated", counter, 6)
	})
	if got := b.me().Counter; got != 6 {
		t.Errorf("saved: %d, want 6", got)
	}
	b.within(func(ctx context.Context) {
		want(ctx, "before", counter, 6)
		b.copy().within(func(ctx context.Context) { other.Set(ctx, 9) })
		if err := counter.Update(ctx, increment); err != nil {
			t.Error(err)
		}
		want(ctx, "after the update", counter, 7)
		want(ctx, "what another request saved meanwhile", other, 9)
	})
}

// Delete takes effect like Set, but there is nothing to delete where there is no
// session.
func TestDeleteBeginsNoSession(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.browser()
	b.within(func(ctx context.Context) {
		if err := counter.Delete(ctx); err != nil {
			t.Error(err)
		}
	})
	if len(b.cookies) != 0 {
		t.Errorf("cookies %v", b.cookies)
	}
}

// All zero Keys would be one: they are refused.
func TestZeroKey(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	var zero counterfoil.Key[int]
	s.user("john").within(func(ctx context.Context) {
		_, get := zero.Get(ctx)
		update := zero.Update(ctx, func(n int) (int, error) { return n, nil })
		for method, err := range map[string]error{"Get": get, "Set": zero.Set(ctx, 1), "Delete": zero.Delete(ctx), "Update": update} {
			if err == nil || !strings.Contains(err.Error(), "NewKey") {
				t.Errorf("%s: error %v", method, err)
			}
		}
	})
}

// 16.2.5: a value may be a secret of the application; an error does not quote it.
func TestErrorsDoNotQuoteValues(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	b.within(func(ctx context.Context) { counterfoil.NewKey[int]("otp").Set(ctx, 918273) })
	b.within(func(ctx context.Context) {
		_, err := counterfoil.NewKey[int16]("otp").Get(ctx)
		if err == nil || strings.Contains(err.Error(), "918273") || !strings.Contains(err.Error(), `"otp"`) {
			t.Errorf("error %v: it names the key, and no value", err)
		}
	})
}

// Context first: a caller's own deadline bounds the look at the store.
func TestGetKeepsItsCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &faultSwitch{methods: []string{"Values"}}
		hang.fault.Hang = true
		s := newSite(t, counterfoil.Config{Store: hang.store(newMemory())})
		b := s.user("john")
		hang.on.Store(true)
		b.within(func(ctx context.Context) {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			start := time.Now()
			if _, err := counter.Get(short); !errors.Is(err, counterfoil.ErrUnavailable) || time.Since(start) != time.Second {
				t.Errorf("after %v: error %v", time.Since(start), err)
			}
		})
	})
}
