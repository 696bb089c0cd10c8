package counterfoil_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// An asker asks who is there, from wherever it is called, and remembers.
type asker struct {
	mu    sync.Mutex
	users []string
}

func (a *asker) ask(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users = append(a.users, counterfoil.FromContext(ctx).User())
}

func (a *asker) has(user string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.users, user)
}

// An askingHandler is a slog.Handler that puts the user into each record, as
// applications do.
type askingHandler struct {
	slog.Handler
	ask func(context.Context)
}

func (h askingHandler) Handle(ctx context.Context, r slog.Record) error {
	h.ask(ctx)
	return h.Handler.Handle(ctx, r)
}

// Config: whatever the library calls may ask FromContext. If one of them were
// called under the request's lock, this test would not end.
func TestHooksMayAskWhoIsThere(t *testing.T) {
	for _, c := range []struct {
		why    string
		config func(ask func(context.Context)) counterfoil.Config
	}{
		{"OnEvent", func(ask func(context.Context)) counterfoil.Config {
			return counterfoil.Config{OnEvent: func(ctx context.Context, _ counterfoil.Event) { ask(ctx) }}
		}},
		{"OnStore, before and after the call", func(ask func(context.Context)) counterfoil.Config {
			return counterfoil.Config{OnStore: func(ctx context.Context, _ string) (context.Context, func(error)) {
				ask(ctx)
				return ctx, func(error) { ask(ctx) }
			}}
		}},
		{"ClientAddress", func(ask func(context.Context)) counterfoil.Config {
			return counterfoil.Config{ClientAddress: func(r *http.Request) string { ask(r.Context()); return "" }}
		}},
		{"ErrorHandler, also after a commit that failed", func(ask func(context.Context)) counterfoil.Config {
			return counterfoil.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				ask(r.Context())
				counterfoil.WriteError(w, r, err)
			}}
		}},
		{"the handler of Logger", func(ask func(context.Context)) counterfoil.Config {
			return counterfoil.Config{Logger: slog.New(askingHandler{slog.NewTextHandler(io.Discard, nil), ask})}
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			var a asker
			config := c.config(a.ask)
			full := &faultSwitch{methods: []string{"SaveValues"}}
			full.fault.Err = errDown
			config.Store = full.store(newMemory())
			s := newSite(t, config)
			everyKindOfRequest(t, s, full)
			if !a.has("john") {
				t.Error("it was never told of john")
			}
		})
	}
}

func everyKindOfRequest(t *testing.T, s *site, full *faultSwitch) {
	b := s.user("john")
	b.me()
	wantStatus(t, "a change", b.get("/count"), 200)
	wantStatus(t, "a second login", b.post("/login", "user", "john"), 303)
	wantStatus(t, "a refused form", b.post("/nothing"), 403)
	wantStatus(t, "a change after the first byte", b.handle(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		counter.Set(r.Context(), 1)
	}), 200)
	full.on.Store(true)
	wantStatus(t, "a change that can't be saved", b.handle(func(w http.ResponseWriter, r *http.Request) {
		counter.Set(r.Context(), 77)
	}), 503)
	full.on.Store(false)
	b.open()
	wantStatus(t, "a logout", b.post("/logout"), 303)
}

// ErrorHandler "may use the session of the request, as handlers do": the page
// that says how to go on holds a form, and that form works.
func TestTheErrorPageHoldsAFormThatWorks(t *testing.T) {
	var token string
	s := newSite(t, counterfoil.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
		var failed error
		if token, failed = counterfoil.CSRFToken(r.Context()); failed != nil {
			t.Error(failed)
		}
		counterfoil.WriteError(w, r, err)
	}})
	gone := s.user("john")
	gone.copy().post("/logout")
	for _, c := range []struct {
		why string
		b   *browser
	}{
		{"a form without a cookie", s.browser()},
		{"a form of a session that has ended", gone},
		{"a form without the token", func() *browser { b := s.visitor(); b.csrf = ""; return b }()},
	} {
		t.Run(c.why, func(t *testing.T) {
			wantStatus(t, "the first form", c.b.post("/login", "user", "john"), 403)
			c.b.csrf = token
			wantStatus(t, "the form of the error page", c.b.post("/login", "user", "john"), 303)
		})
	}
}

// Within another manager's Handler a hook that runs before the session is found
// sees nobody: not whom the outer one has found.
func TestHooksOfNestedManagers(t *testing.T) {
	outer := newSite(t, counterfoil.Config{})
	var seen asker
	inner, err := counterfoil.New(counterfoil.Config{Store: newMemory(), PublicURL: publicURL, Bound: -1,
		OnStore: func(ctx context.Context, _ string) (context.Context, func(error)) {
			seen.ask(ctx)
			return ctx, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	b := outer.user("john") // whose cookie the inner one looks up, and does not know
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	wantStatus(t, "a request", b.pass(b.request("GET", "/", ""), outer.Handler(inner.Handler(nothing))), 200)
	if !seen.has("") || seen.has("john") {
		t.Errorf("the hook has seen %q, want nobody", seen.users)
	}
}
