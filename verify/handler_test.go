package verify_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/token"
	"github.com/counterfoil/counterfoil/verify"
)

func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t)
		v := i.readyVerifier(func(c *verify.Config) { c.Policy = verify.Strict })
		good, ended := i.logIn(), i.logIn()
		i.logOut(ended)
		time.Sleep(time.Second)
		who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims, ok := verify.FromContext(r.Context())
			if !ok {
				t.Error("the handler is not told who asks")
			}
			io.WriteString(w, claims.Username)
		})
		check := func(why string, h http.Handler, lines []string, status int, challenge string) {
			t.Helper()
			r := httptest.NewRequest("GET", "/", nil)
			for _, line := range lines {
				r.Header.Add("Authorization", line)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != status || w.Header().Get("WWW-Authenticate") != challenge {
				t.Errorf("%s: %d, WWW-Authenticate %q", why, w.Code, w.Header().Get("WWW-Authenticate"))
			}
			if w.Code == 200 {
				if w.Body.String() != "john" {
					t.Errorf("%s: the handler says %q", why, w.Body)
				}
				return
			}
			var problem struct{ Type, Title, Detail string }
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Type == "" || problem.Title == "" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %s (%v)", why, w.Body, err)
			}
			if (w.Code == 503) != (w.Header().Get("Retry-After") != "") || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: headers %v", why, w.Header())
			}
		}
		const bad = `Bearer error="invalid_token"`
		h := v.Handler(who)
		check("a good token", h, []string{"Bearer " + good}, 200, "")
		check("the scheme has no case (RFC 9110 section 11.1)", h, []string{"bearer " + good}, 200, "")
		check("a session that has ended", h, []string{"Bearer " + ended}, 401, bad)
		check("no token", h, nil, 401, "Bearer")
		check("another scheme", h, []string{"Basic YTpi"}, 401, "Bearer")
		check("no token behind the scheme", h, []string{"Bearer"}, 401, bad)
		check("two headers", h, []string{"Bearer " + good, "Bearer " + good}, 400, "")
		check("an invented token", h, []string{"Bearer a.b.c"}, 401, bad)
		check("a token without its signature", h, []string{"Bearer " + good[:strings.LastIndex(good, ".")+1]}, 401, bad)

		i.network.Cut()
		time.Sleep(2 * bound)
		check("it can't be told: never 401, or clients throw good tokens away", h, []string{"Bearer " + good}, 503, "")
		check("what has ended stays so", h, []string{"Bearer " + ended}, 401, bad)
		check("a route of less weight", v.HandlerWith(verify.AllowStale(time.Minute), who), []string{"Bearer " + good}, 200, "")
		check("what has ended stays so, there too", v.HandlerWith(verify.AllowStale(time.Minute), who), []string{"Bearer " + ended}, 401, bad)
	})
}

func TestFromContextOfAnotherRequest(t *testing.T) {
	if _, ok := verify.FromContext(t.Context()); ok {
		t.Error("claims out of nowhere")
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		why  string
		edit func(*verify.Config)
		ok   bool
	}{
		{"https", func(c *verify.Config) { c.Issuer = "https://sessions.example.com" }, true},
		{"a path", func(c *verify.Config) { c.Issuer = "https://example.com/sessions/" }, true},
		{"http on this machine", func(c *verify.Config) { c.Issuer = "http://127.0.0.1:8080" }, true},
		{"http on this machine, IPv6", func(c *verify.Config) { c.Issuer = "http://[::1]:8080" }, true},
		{"http elsewhere: everybody on the way could answer", func(c *verify.Config) { c.Issuer = "http://sessions.example.com" }, false},
		{"http elsewhere, if it is meant", func(c *verify.Config) { c.Issuer, c.InsecureHTTP = "http://sessions.example.com", true }, true},
		{"a name that looks like this machine", func(c *verify.Config) { c.Issuer = "http://localhost.example.com" }, false},
		{"no issuer", func(c *verify.Config) { c.Issuer = "" }, false},
		{"no scheme", func(c *verify.Config) { c.Issuer = "sessions.example.com" }, false},
		{"another scheme", func(c *verify.Config) { c.Issuer = "ftp://sessions.example.com" }, false},
		{"a password in the URL", func(c *verify.Config) { c.Issuer = "https://a:b@example.com" }, false},
		{"a query", func(c *verify.Config) { c.Issuer = "https://example.com/?a=b" }, false},
		{"no client", func(c *verify.Config) { c.ClientID = "" }, false},
		{"no secret", func(c *verify.Config) { c.ClientSecret = "" }, false},
		{"a bound that no network keeps", func(c *verify.Config) { c.Bound = time.Millisecond }, false},
		{"a bound that is none", func(c *verify.Config) { c.Bound = time.Hour }, false},
		{"a bound below zero", func(c *verify.Config) { c.Bound = -time.Second }, false},
	} {
		config := verify.Config{Issuer: issuerURL, ClientID: clientID, ClientSecret: secret, Transport: nowhere{}, Logger: discard}
		c.edit(&config)
		v, err := verify.New(t.Context(), config)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.why, err)
		}
		if err == nil {
			check(t, v.Close())
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret", c.why)
		}
	}
}

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("there is no network")
}

// The issuer's keys may change while a verifier runs.
func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t)
		v := i.readyVerifier()
		check(t, i.sessions.RotateKeys(t.Context()))
		time.Sleep(token.Lead + time.Second)
		if _, err := v.Check(t.Context(), i.logIn()); err != nil {
			t.Errorf("a token of the new key: %v", err)
		}
	})
}

// jwks answers for the issuer's keys; everything else goes to the issuer.
type jwks struct {
	http.RoundTripper
	fetched atomic.Int32
	answer  atomic.Pointer[string]
	status  atomic.Int32
}

func (j *jwks) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/.well-known/jwks.json" {
		return j.RoundTripper.RoundTrip(r)
	}
	j.fetched.Add(1)
	if body := j.answer.Load(); body != nil {
		return &http.Response{StatusCode: int(j.status.Load()), Header: http.Header{"Location": {"/elsewhere"}}, Body: io.NopCloser(strings.NewReader(*body)), Request: r}, nil
	}
	return j.RoundTripper.RoundTrip(r)
}

func (j *jwks) set(status int, body string) {
	j.status.Store(int32(status))
	j.answer.Store(&body)
}

func TestKeysAreFetchedWithCare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t)
		good := i.logIn()
		var j jwks
		j.set(500, "") // from the first moment on
		v := i.verifier(func(c *verify.Config) {
			j.RoundTripper = c.Transport
			c.Transport = &j
		})
		other, err := token.NewKeyring(token.EdDSA, time.Now())
		check(t, err)
		for _, c := range []struct {
			why    string
			status int
			body   string
		}{
			{"an error", 500, "{}"},
			{"a redirect is not followed", 302, ""},
			{"no keys", 200, `{"keys":[]}`},
			{"something else", 200, "<html>"},
			{"without an end", 200, `{"keys":[` + strings.Repeat(" ", 1<<20) + `]}`},
		} {
			j.set(c.status, c.body)
			time.Sleep(5 * time.Second)
			if _, err := v.Check(t.Context(), good); !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("%s: %v", c.why, err)
			}
		}
		j.answer.Store(nil)
		time.Sleep(5 * time.Second)
		if _, err := v.Check(t.Context(), good); err != nil {
			t.Errorf("when they are there: %v", err)
		}

		// Invented tokens do not make it ask again and again.
		before := j.fetched.Load()
		for range 1000 {
			if _, err := v.Check(t.Context(), "a.b.c"); !errors.Is(err, verify.ErrInvalid) {
				t.Fatalf("an invented token: %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := j.fetched.Load() - before; n > 6 {
			t.Errorf("%d fetches in 10 seconds", n)
		}

		// The keys that count are those which are there.
		j.set(200, string(other.JWKS()))
		time.Sleep(25 * time.Second)
		if _, err := v.Check(t.Context(), good); !errors.Is(err, verify.ErrInvalid) {
			t.Errorf("a token of a key that was taken away: %v", err)
		}
		// If they can't be read for long, nobody is told that his token is bad.
		j.set(500, "")
		time.Sleep(2 * time.Minute)
		if _, err := v.Check(t.Context(), good); !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("when the keys can't be read: %v", err)
		}
	})
}

// What the issuer says about a session while the lease has lapsed.
func TestIntrospect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t)
		var asked sessionRoute
		v := i.readyVerifier(func(c *verify.Config) {
			asked.RoundTripper = c.Transport
			c.Transport = &asked
		})
		tok := i.logIn()
		claims, err := v.Check(t.Context(), tok)
		check(t, err)
		i.stopNode()
		time.Sleep(2 * bound)
		for _, c := range []struct {
			why    string
			status int
			body   string
			want   error
		}{
			{"it lives", 200, `{"id":"` + claims.SessionID + `"}`, nil},
			{"it has ended", 401, `{}`, verify.ErrEnded},
			{"a page of a proxy is no session", 200, `<html>`, verify.ErrUnavailable},
			{"another session says nothing about this one", 200, `{"id":"0198c0de-0000-7000-8000-000000000001"}`, verify.ErrUnavailable},
			{"a session without an end", 200, `{"pad":"` + strings.Repeat("x", 1<<20) + `"}`, verify.ErrUnavailable},
			{"the issuer can't tell either", 503, ``, verify.ErrUnavailable},
			{"a redirect is not followed", 302, ``, verify.ErrUnavailable},
			{"forbidden is not ended", 403, ``, verify.ErrUnavailable},
		} {
			asked.status, asked.body = c.status, c.body
			if _, err := v.Check(t.Context(), tok); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.why, err)
			}
		}
		// It is waited for no longer than a bound.
		asked.hangs = true
		begun := time.Now()
		if _, err := v.Check(t.Context(), tok); !errors.Is(err, verify.ErrUnavailable) || time.Since(begun) > bound {
			t.Errorf("no answer: %v after %v", err, time.Since(begun))
		}
		// And with so many at once at most.
		for range 200 {
			go v.Check(t.Context(), tok)
		}
		synctest.Wait()
		if n := asked.waiting.Load(); n != 64 {
			t.Errorf("%d questions at once", n)
		}
		time.Sleep(3 * bound)
	})
}

type sessionRoute struct {
	http.RoundTripper
	status  int
	body    string
	hangs   bool
	waiting atomic.Int32
}

func (s *sessionRoute) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/v1/session" {
		return s.RoundTripper.RoundTrip(r)
	}
	if s.hangs {
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: s.status, Status: http.StatusText(s.status), Header: http.Header{"Location": {"/elsewhere"}}, Body: io.NopCloser(strings.NewReader(s.body)), Request: r}, nil
}
