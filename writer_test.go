package counterfoil_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

// D4: whatever way the first byte takes, the cookie goes out before it.
func TestCommitBeforeFirstByte(t *testing.T) {
	for _, c := range []struct {
		why   string
		write func(http.ResponseWriter)
	}{
		{"no body", func(w http.ResponseWriter) {}},
		{"Write", func(w http.ResponseWriter) { w.Write([]byte("x")) }},
		{"WriteString", func(w http.ResponseWriter) { io.WriteString(w, "x") }},
		{"WriteHeader", func(w http.ResponseWriter) { w.WriteHeader(201) }},
		{"WriteHeader after an early hint", func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(201) }},
		{"Flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }},
		{"FlushError", func(w http.ResponseWriter) { http.NewResponseController(w).Flush() }},
		{"ReadFrom", func(w http.ResponseWriter) { io.Copy(w, strings.NewReader("x")) }},
		{"a redirect", func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(303) }},
		{"Hijack", func(w http.ResponseWriter) {
			header := w.Header()
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: " + header.Get("Set-Cookie") + "\r\n\r\n")
			buf.Flush()
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := newSite(t, counterfoil.Config{})
			server := httptest.NewServer(s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := counter.Set(r.Context(), 7); err != nil {
					t.Error(err)
				}
				c.write(w)
			})))
			defer server.Close()
			cookie := rawGet(t, server.Listener.Addr(), "").Header.Get("Set-Cookie")
			if !strings.HasPrefix(cookie, cookieName+"=") {
				t.Fatalf("Set-Cookie is %q", cookie)
			}
			value, _, _ := strings.Cut(strings.TrimPrefix(cookie, cookieName+"="), ";")
			b := s.browser()
			b.cookies[cookieName] = value
			if got := b.values(); got != 7 {
				t.Errorf("the value is %d", got)
			}
		})
	}
}

// values reads the counter through a handler of its own.
func (b *browser) values() (n int) {
	h := b.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if n, err = counter.Get(r.Context()); err != nil {
			b.t.Error(err)
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/", ""))
	return n
}

// rawGet speaks HTTP/1.1 over a plain connection, so that nothing hides what
// the server sent.
func rawGet(t *testing.T, addr net.Addr, cookie string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: "+cookie+"\r\n\r\n")
	buf := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(buf, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusEarlyHints {
			return res
		}
	}
}

// A brittleStore fails at saving values, and only there.
type brittleStore struct{ store.Store }

var errBrittle = errors.New("the disk with /secret/path is full")

func (brittleStore) SaveValues(context.Context, store.SID, uint64, []byte) error { return errBrittle }
func (brittleStore) Create(context.Context, store.Creation) (store.Session, error) {
	return store.Session{}, errBrittle
}

// D5: after a failed commit nothing of the handler's answer goes out, neither a
// byte nor a header, whatever way it takes.
func TestNothingGoesOutAfterAFailedCommit(t *testing.T) {
	for _, c := range []struct {
		why   string
		write func(http.ResponseWriter) error
	}{
		{"Write", func(w http.ResponseWriter) error { _, err := w.Write([]byte("secret")); return err }},
		{"WriteString", func(w http.ResponseWriter) error { _, err := io.WriteString(w, "secret"); return err }},
		{"WriteHeader then Write", func(w http.ResponseWriter) error {
			w.WriteHeader(200)
			_, err := w.Write([]byte("secret"))
			return err
		}},
		{"Flush", func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }},
		{"ReadFrom", func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("secret")); return err }},
		{"Hijack", func(w http.ResponseWriter) error { _, _, err := http.NewResponseController(w).Hijack(); return err }},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := newSite(t, counterfoil.Config{Store: brittleStore{memory.New(memory.Config{})}})
			var writeErr error
			inner := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Secret", "secret")
				w.Header().Add("X-Outer", "secret")
				w.Header().Del("Date")
				w.Header().Set("Content-Length", "6")
				counter.Set(r.Context(), 1)
				writeErr = c.write(w)
			}))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["X-Outer"] = []string{"kept", "both"}
				w.Header()["Date"] = nil // net/http is to send none
				inner.ServeHTTP(w, r)
			}))
			defer server.Close()
			res, err := http.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text := body(res)
			if res.StatusCode != 503 || strings.Contains(text, "secret") || res.Header.Get("X-Secret") != "" {
				t.Errorf("status %d, headers %v, body %q", res.StatusCode, res.Header, text)
			}
			if res.Header.Get("Set-Cookie") != "" {
				t.Error("a cookie went out for a session that is not in the store")
			}
			if got := res.Header.Values("X-Outer"); !slices.Equal(got, []string{"kept", "both"}) {
				t.Errorf("a header of an outer handler is now %q", got)
			}
			if res.Header.Get("Date") != "" {
				t.Error("a header goes out that an outer handler took away")
			}
			if writeErr == nil {
				t.Error("the handler was told that its write went through")
			}
		})
	}
}

// D6: a change after the headers returns an error, and it is logged.
func TestChangeAfterTheHeadersIsAnError(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*site, context.Context) error
	}{
		{"Set", func(s *site, ctx context.Context) error { return counter.Set(ctx, 2) }},
		{"Delete", func(s *site, ctx context.Context) error { return counter.Delete(ctx) }},
		{"Update", func(s *site, ctx context.Context) error {
			return counter.Update(ctx, func(n int) (int, error) { return n + 1, nil })
		}},
		{"Login", func(s *site, ctx context.Context) error {
			return s.Login(ctx, counterfoil.Login{User: "x", InsecureAllowGET: true})
		}},
		{"Rotate", func(s *site, ctx context.Context) error { return s.Rotate(ctx) }},
		{"Logout", func(s *site, ctx context.Context) error { return s.Logout(ctx) }},
	} {
		t.Run(c.why, func(t *testing.T) {
			var log strings.Builder
			s := newSite(t, counterfoil.Config{Logger: textLogger(&log)})
			b := s.user("john")
			var err error
			h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				err = c.change(s, r.Context())
			}))
			h.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/", ""))
			if !errors.Is(err, counterfoil.ErrCommitted) {
				t.Errorf("error %v, want ErrCommitted", err)
			}
			if !strings.Contains(log.String(), "is lost") {
				t.Errorf("the log says %q", log.String())
			}
			if b.me().User != "john" {
				t.Error("it took effect all the same")
			}
		})
	}
}

// A panic of the handler goes on to the server, and nothing is saved.
func TestPanicSavesNothing(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counter.Set(r.Context(), 9)
		panic(http.ErrAbortHandler)
	}))
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the panic was swallowed")
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/", ""))
	}()
	if got := b.values(); got != 0 {
		t.Errorf("the value is %d", got)
	}
}

// 103 is a hint before the answer, 101 is the answer.
func TestInformationalAnswers(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	for _, c := range []struct {
		why    string
		status int
		want   error
	}{
		{"after 103 Early Hints the answer is still to come", http.StatusEarlyHints, nil},
		{"101 Switching Protocols ends the headers", http.StatusSwitchingProtocols, counterfoil.ErrCommitted},
	} {
		b := s.user("john")
		var err error
		b.handle(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			err = counter.Set(r.Context(), 7)
		})
		if err != c.want {
			t.Errorf("%s: Set returned %v, want %v", c.why, err, c.want)
		}
	}
}

// D6: once the answer has begun, no session can begin.
func TestNoSessionBeginsAfterTheHeaders(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	res := s.browser().handle(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		if token, err := counterfoil.CSRFToken(r.Context()); token != "" || !errors.Is(err, counterfoil.ErrCommitted) {
			t.Errorf("CSRFToken: %q, %v", token, err)
		}
		if err := counter.Set(r.Context(), 1); !errors.Is(err, counterfoil.ErrCommitted) {
			t.Errorf("Set: %v", err)
		}
	})
	if len(res.Cookies()) != 0 {
		t.Errorf("cookies %v", res.Cookies())
	}
}

// 16.2.5: what is logged about a late change names the route: a path may hold a
// secret of the application.
func TestTheLogHoldsNoPath(t *testing.T) {
	var log strings.Builder
	s := newSite(t, counterfoil.Config{Logger: textLogger(&log)})
	s.mux.HandleFunc("GET /reset/{code}", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		counter.Set(r.Context(), 1)
	})
	s.user("john").get("/reset/918273?code=918273")
	if text := log.String(); strings.Contains(text, "918273") || !strings.Contains(text, "/reset/{code}") {
		t.Errorf("the log says %q", text)
	}
}

// gin asks every ResponseWriter for CloseNotify, and panics where there is none.
func TestCloseNotify(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	ctx, hangUp := context.WithCancel(t.Context())
	h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gone := w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
		select {
		case <-gone:
			t.Error("the client is said to have gone, and is there")
		default:
		}
		hangUp()
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			t.Error("the client has gone, and nobody is told")
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
}

// A handler may use several goroutines: one writes an answer that can't be saved,
// while another logs out by the token, for which it is never too late. The race
// detector is the judge.
func TestLogoutBesideAFailingAnswer(t *testing.T) {
	down := &faultSwitch{methods: []string{"SaveValues", "Values"}}
	down.fault.Err = errDown
	note := counterfoil.NewKey[string]("note")
	for range 10 {
		s := newSite(t, counterfoil.Config{Store: down.store(newMemory()), Bound: -1})
		token := s.user("john").me().Token
		h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := note.Set(r.Context(), "x"); err != nil {
				t.Error(err)
			}
			down.on.Store(true)
			defer down.on.Store(false)
			var work sync.WaitGroup
			work.Go(func() { io.WriteString(w, "hello") })
			work.Go(func() {
				if err := s.Logout(r.Context()); err != nil {
					t.Error(err)
				}
			})
			work.Wait()
		}))
		answer := httptest.NewRecorder()
		answer.Header().Set("X-Before", "1")
		h.ServeHTTP(answer, bearerRequest("GET", token))
		wantStatus(t, "the token afterwards", s.bearer(token), 401)
	}
}
