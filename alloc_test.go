package counterfoil_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// What Handler allocates: its exchange, which holds the copy of the request. The
// memory store is asked each time, and copies the session's texts.
func TestAllocationsOfARequest(t *testing.T) {
	byCookie := func(b *browser) *http.Request { return b.request("GET", "/", "") }
	identity := func(ctx context.Context) {
		if !counterfoil.FromContext(ctx).Active() {
			t.Error("nobody is logged in")
		}
	}
	nothing := func(context.Context) {}
	for _, c := range []struct {
		why            string
		request        func(*browser) *http.Request
		do             func(context.Context)
		memory, sqlite float64
	}{
		{"identity by cookie", byCookie, identity, 2, 1},
		{"identity by token", func(b *browser) *http.Request { return bearerRequest("GET", b.me().Token) }, identity, 2, 1},
		{"a GET that asks for no CSRF token pays for none", byCookie, nothing, 2, 1},
		{"a POST whose CSRF token is checked", func(b *browser) *http.Request {
			r := b.request("POST", "/", "")
			r.Header.Set(counterfoil.CSRFHeaderName, b.csrf)
			return r
		}, nothing, 2, 1},
		{"no session", func(b *browser) *http.Request { return b.browser().request("GET", "/", "") }, nothing, 1, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, st store.Store) {
				most := c.sqlite
				if st.InProcess() {
					most = c.memory
				}
				s := newSite(t, counterfoil.Config{Store: st})
				b := s.user("john")
				if n := s.allocations(c.request(b), c.do); n > most {
					t.Errorf("%v allocations, want %v", n, most)
				}
			})
		})
	}
}

// A value that is read is asked for, and a string is made of its bytes.
func TestAllocationsOfAValue(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	b.within(func(ctx context.Context) { note.Set(ctx, strings.Repeat("x", 200)) })
	if n := s.allocations(b.request("GET", "/", ""), func(ctx context.Context) {
		if v, err := note.Get(ctx); len(v) != 200 || err != nil {
			t.Errorf("the value is %q, %v", v, err)
		}
	}); n > 5 {
		t.Errorf("%v allocations, want 5", n)
	}
}

// allocations counts those of one request, of many. What goes on in the
// background is less than one.
func (s *site) allocations(r *http.Request, do func(context.Context)) float64 {
	h := s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) }))
	w := &nullWriter{header: http.Header{}}
	return testing.AllocsPerRun(1000, func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	})
}
