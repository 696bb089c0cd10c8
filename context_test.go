package counterfoil_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
)

// The context of a request is that of the server, and knows the session as
// well.
func TestTheContextIsTheServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		type key struct{}
		outer, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "outer"), time.Minute)
		defer cancel()
		reason := errors.New("the client has hung up")
		outer, hangUp := context.WithCancelCause(outer)
		s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			if ctx.Value(key{}) != "outer" || ctx.Value("key") != nil {
				t.Error("values of outer handlers are lost, or made up")
			}
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != time.Minute {
				t.Errorf("the deadline is %v, %v", deadline, ok)
			}
			inner, done := context.WithCancel(context.WithValue(ctx, key{}, "inner"))
			defer done()
			if counterfoil.FromContext(inner).User() != "john" {
				t.Error("a context that was made of it does not know the session")
			}
			hangUp(reason)
			if ctx.Err() != context.Canceled || context.Cause(ctx) != reason || context.Cause(inner) != reason {
				t.Errorf("it ends with %v, of which the cause is %v", ctx.Err(), context.Cause(inner))
			}
			<-ctx.Done()
			<-inner.Done()
		})).ServeHTTP(httptest.NewRecorder(), s.user("john").request("GET", "/", "").WithContext(outer))
	})
}

// A context that outlives its request goes on knowing who asked, reads what is
// in the store, and changes nothing.
func TestAContextOutlivesItsRequest(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	john := s.user("john")
	var kept context.Context
	john.within(func(ctx context.Context) {
		counter.Set(ctx, 5)
		kept = context.WithoutCancel(ctx)
	})
	s.user("mary").get("/me") // another request does not come in its place
	if user := counterfoil.FromContext(kept).User(); user != "john" {
		t.Errorf("the session is %q's", user)
	}
	if n, err := counter.Get(kept); n != 5 || err != nil {
		t.Errorf("the value is %d, %v", n, err)
	}
	if err := counter.Set(kept, 6); err != counterfoil.ErrCommitted {
		t.Errorf("Set: %v", err)
	}
	if n := john.values(); n != 5 {
		t.Errorf("the value was changed to %d", n)
	}
}

// Loggers print contexts: nothing of the request may show, nor the secret.
func TestContextsPrintNoSecrets(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	r := s.user("john").request("GET", "/", "")
	cookie := r.Cookies()[0].Value
	s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner := context.WithValue(r.Context(), counter, "inner")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			for _, ctx := range []context.Context{r.Context(), inner} {
				if text := fmt.Sprintf(verb, ctx); strings.Contains(text, cookie) || len(text) > 200 {
					t.Errorf("%s prints %s", verb, text)
				}
			}
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// Adapters for other frameworks copy the inner request over the outer one.
func TestARequestCopiedBackIsNoCircle(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	r := s.user("john").request("GET", "/", "")
	s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, inner *http.Request) {
		*r = *inner
		if ctx := inner.Context(); ctx.Err() != nil || ctx.Value("nothing") != nil {
			t.Error("the context has ended, or knows what nobody has set")
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if counterfoil.FromContext(r.Context()).User() != "john" {
		t.Error("the copy does not know the session")
	}
}
