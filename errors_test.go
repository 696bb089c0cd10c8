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
