package counterfoil_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// An eventLog collects events for a test.
type eventLog struct {
	mu     sync.Mutex
	events []counterfoil.Event
}

func (l *eventLog) add(_ context.Context, e counterfoil.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *eventLog) take() []counterfoil.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events
}

// 16.3.1, 16.3.2: every event of authentication is told, with who and where.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		s := newSite(t, counterfoil.Config{OnEvent: log.add})
		b := s.user("john")
		grant := s.client("john")
		log.take()
		for _, c := range []struct {
			why  string
			do   func()
			want []counterfoil.EventKind
			user string
		}{
			{"a login", func() { b.post("/login", "user", "john"); b.open() }, []counterfoil.EventKind{counterfoil.LoggedIn}, "john"},
			{"a token", func() { b.me() }, []counterfoil.EventKind{counterfoil.TokenIssued}, "john"},
			{"a refresh", func() { s.refresh(grant.RefreshToken) }, []counterfoil.EventKind{counterfoil.TokenRefreshed, counterfoil.TokenIssued}, "john"},
			{"a forged form", func() { b.do(b.request("POST", "/logout", "")) }, []counterfoil.EventKind{counterfoil.RequestRefused}, ""},
			{"a bad token", func() { s.bearer("x") }, []counterfoil.EventKind{counterfoil.RequestRefused}, ""},
			{"a logout", func() { b.post("/logout") }, []counterfoil.EventKind{counterfoil.LoggedOut}, "john"},
			{"a reused refresh token", func() {
				time.Sleep(time.Minute)
				s.Refresh(t.Context(), grant.RefreshToken)
			}, []counterfoil.EventKind{counterfoil.TokenReused}, ""},
			{"an operator ends a user's sessions", func() { s.EndUser(t.Context(), "john") }, []counterfoil.EventKind{counterfoil.SessionsEnded}, "john"},
			{"a new key", func() { s.RotateKeys(t.Context()) }, []counterfoil.EventKind{counterfoil.KeyRotated}, ""},
		} {
			c.do()
			var kinds []counterfoil.EventKind
			for _, e := range log.take() {
				kinds = append(kinds, e.Kind)
				if e.User != c.user {
					t.Errorf("%s: user %q, want %q", c.why, e.User, c.user)
				}
			}
			if !slices.Equal(kinds, c.want) {
				t.Errorf("%s: events %v, want %v", c.why, kinds, c.want)
			}
		}
	})
}

// Config.OnEvent: "Nil: Logger is told why requests are refused". Who forgets the
// CSRF token on his first try reads in the log what to do.
func TestRefusalsAreLoggedWithoutOnEvent(t *testing.T) {
	var log strings.Builder
	s := newSite(t, counterfoil.Config{Logger: textLogger(&log)})
	b := s.user("john")
	if log.Len() > 0 {
		t.Errorf("before: %s", log.String())
	}
	wantStatus(t, "a form without the token", b.do(b.request("POST", "/logout", "")), 403)
	if !strings.Contains(log.String(), "level=INFO") || !strings.Contains(log.String(), "put counterfoil.CSRFField into the form") {
		t.Errorf("the log: %s", log.String())
	}
	log.Reset()
	s = newSite(t, counterfoil.Config{PublicURL: "HTTP://LocalHost:8080", Logger: textLogger(&log)})
	wantStatus(t, "a form without a session, where a site is developed", s.browser().post("/login", "user", "john"), 403)
	if !strings.Contains(log.String(), "level=INFO") {
		t.Errorf("a scheme has no case: %s", log.String())
	}
	log.Reset()
	s = newSite(t, counterfoil.Config{PublicURL: "https://app.example.com", Logger: textLogger(&log)})
	wantStatus(t, "a form without a session, on https", s.browser().post("/login", "user", "john"), 403)
	if log.Len() > 0 {
		t.Errorf("in production it is for debugging: %s", log.String())
	}
}

// StoreFailed is an alarm. What cannot be saved since the session has ended
// meanwhile, or since it is too large, is a request that is refused.
func TestWhatCanNotBeSavedIsNoFailureOfTheStore(t *testing.T) {
	var events eventLog
	var log strings.Builder
	s := newSite(t, counterfoil.Config{OnEvent: events.add, Logger: textLogger(&log)})
	half := strings.Repeat("x", 600<<10)
	for _, c := range []struct {
		why    string
		handle func(b *browser, r *http.Request)
		want   error
		status int
		logged string
	}{
		{"a logout in another tab", func(b *browser, r *http.Request) {
			counter.Set(r.Context(), 1)
			b.copy().post("/logout")
		}, counterfoil.ErrEnded, 401, ""},
		{"values that are too large together", func(b *browser, r *http.Request) {
			counterfoil.NewKey[string]("first").Set(r.Context(), half)
			counterfoil.NewKey[string]("second").Set(r.Context(), half)
		}, counterfoil.ErrTooLarge, 413, "level=WARN"},
	} {
		b := s.user("john")
		log.Reset()
		wantStatus(t, c.why, b.handle(func(w http.ResponseWriter, r *http.Request) {
			c.handle(b, r)
			events.take()
		}), c.status)
		told := events.take()
		if len(told) != 1 || told[0].Kind != counterfoil.RequestRefused || !errors.Is(told[0].Err, c.want) {
			t.Errorf("%s: events %v", c.why, told)
		}
		if (c.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.logged) {
			t.Errorf("%s: the log: %s", c.why, log.String())
		}
	}
}

// The hook around the store sees every call, its outcome, and may pass a
// context on.
func TestOnStore(t *testing.T) {
	type span struct{}
	var mu sync.Mutex
	outcomes := map[string]error{}
	config := counterfoil.Config{OnStore: func(ctx context.Context, method string) (context.Context, func(error)) {
		return context.WithValue(ctx, span{}, method), func(err error) {
			mu.Lock()
			defer mu.Unlock()
			outcomes[method] = err
		}
	}}
	s := newSite(t, config)
	b := s.user("john")
	b.post("/logout")
	b.cookies[cookieName] = s.user("mary").cookies[cookieName][:22] + strings.Repeat("A", 42)
	b.get("/me")
	if err, called := outcomes["End"]; !called || err != nil {
		t.Errorf("End: called %v, %v", called, err)
	}
	if err, called := outcomes["Find"]; !called || (err != nil && !errors.Is(err, store.ErrNotFound)) {
		t.Errorf("Find: called %v, %v", called, err)
	}
}

// 14.2.1, 16.2.5: a secret goes out in Set-Cookie or in the one body that is
// made for it, and into no log, error or event.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	var out strings.Builder
	var events eventLog
	s := newSite(t, counterfoil.Config{Logger: textLogger(&out), OnEvent: events.add})
	b := s.user("john")
	grant := s.client("john")
	next := s.refresh(grant.RefreshToken)
	token := b.me().Token
	cookie := b.cookies[cookieName]
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{cookie, cookie[24:], string(raw[16:]), b.csrf, token, grant.Token, grant.RefreshToken, next.RefreshToken}

	// Provoke every kind of refusal with them.
	var answers []string
	for _, secret := range secrets {
		answers = append(answers, body(s.bearer(secret+"x")))
		r := httptest.NewRequest("POST", publicURL+"/nothing", strings.NewReader("csrf_token="+b.csrf+"x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookieName+"="+cookie)
		answers = append(answers, body(s.browser().do(r)))
		_, err := s.Refresh(t.Context(), secret+"x")
		answers = append(answers, err.Error())
		_, err = s.CheckToken(t.Context(), secret+"x")
		answers = append(answers, err.Error())
	}
	for _, e := range events.take() {
		if e.Err != nil {
			answers = append(answers, e.Err.Error())
		}
		answers = append(answers, e.Session, e.User, e.Name, e.Address)
	}
	everything := out.String() + strings.Join(answers, "\n")
	for i, secret := range secrets {
		if strings.Contains(everything, secret) {
			t.Errorf("secret %d leaked", i)
		}
	}
}
