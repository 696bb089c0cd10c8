package counterfoil_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// "Whatever else an error says, what the store could not answer is never a 401
// or 403", nor is an error that nobody knows.
func TestWhatIsNotKnownIsA503(t *testing.T) {
	for _, c := range []struct {
		why string
		err error
	}{
		{"the store is gone", counterfoil.ErrUnavailable},
		{"an unknown error", errors.New("x")},
		{"a token that could not be checked", fmt.Errorf("%w: %w", counterfoil.ErrInvalidToken, counterfoil.ErrUnavailable)},
		{"a session that could not be looked up", errors.Join(counterfoil.ErrUnknownSession, counterfoil.ErrNoSession, counterfoil.ErrUnavailable)},
		{"a handler that is not wrapped", errors.Join(counterfoil.ErrNoHandler, counterfoil.ErrUnavailable)},
		{"a write whose outcome is unknown", fmt.Errorf("%w: %w", counterfoil.ErrEnded, counterfoil.ErrIndeterminate)},
	} {
		rec := httptest.NewRecorder()
		counterfoil.ProblemFor(c.err).Write(rec)
		if rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q", c.why, rec.Code, rec.Header().Get("Retry-After"))
		}
	}
}

// What only a change of the program mends is no 503, after which clients try
// again and proxies take the server out.
func TestAMistakeOfTheProgramIsA500(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	b.within(func(ctx context.Context) {
		if err := counterfoil.NewKey[string]("value").Set(ctx, "text"); err != nil {
			t.Error(err)
		}
		_, anotherType := counterfoil.NewKey[time.Duration]("value").Get(ctx)
		_, anInterface := counterfoil.NewKey[fmt.Stringer]("value").Get(ctx)
		_, noName := counterfoil.Key[int]{}.Get(ctx)
		_, nobody := s.LoginClient(ctx, counterfoil.Login{}, counterfoil.Client{})
		_, noText := s.LoginClient(ctx, counterfoil.Login{User: "\xff"}, counterfoil.Client{})
		for _, c := range []struct {
			err  error
			want string
		}{
			{anotherType, "is not a time.Duration: use another name"},
			{anInterface, "is not a fmt.Stringer"},
			{noName, "make it with NewKey"},
			{counterfoil.NewKey[func()]("function").Set(ctx, nil), "json: unsupported type"},
			{nobody, "set Login.User"},
			{noText, "UTF-8"},
		} {
			if c.err == nil || !strings.HasPrefix(c.err.Error(), "counterfoil: ") || !strings.Contains(c.err.Error(), c.want) {
				t.Errorf("%v does not say %q", c.err, c.want)
			}
			if p := counterfoil.ProblemFor(c.err); p.Status != 500 || strings.Contains(p.Detail, "value") {
				t.Errorf("%v: the visitor is told %v", c.err, p)
			}
		}
	})
}

// A client that hangs up is no trouble of the store's. A store that is too slow
// for the request's deadline is, and the operator learns of it.
func TestSlowStoreIsReportedAndAHangUpIsNot(t *testing.T) {
	for _, c := range []struct {
		why  string
		end  func(context.Context) (context.Context, context.CancelFunc)
		want bool
	}{
		{"the client hung up", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, false},
		{"the deadline has passed", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Millisecond)
		}, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			hang := &faultSwitch{methods: []string{"Find"}}
			hang.fault.Hang = true
			var log strings.Builder
			var events eventLog
			s := newSite(t, counterfoil.Config{Store: hang.store(newMemory()), Bound: -1, Logger: textLogger(&log), OnEvent: events.add})
			b := s.user("john")
			events.take()
			hang.on.Store(true)
			ctx, cancel := c.end(t.Context())
			defer cancel()
			wantStatus(t, "the request", b.do(b.request("GET", "/me", "").WithContext(ctx)), 503)
			told := events.take()
			if logged := log.Len() > 0; logged != c.want || (len(told) > 0) != c.want {
				t.Errorf("log %q, events %v", log.String(), told)
			}
			for _, e := range told {
				if e.Kind != counterfoil.StoreFailed {
					t.Errorf("event %v", e)
				}
			}
		})
	}
}
