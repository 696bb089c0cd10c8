package counterfoil_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/postgres"
	"github.com/counterfoil/counterfoil/store/redis"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

// A site is a small application on the library: a form, a login, a page that
// says who asks, a value that counts, and a logout.
type site struct {
	*counterfoil.Manager
	mux     *http.ServeMux
	handler http.Handler
	t       testing.TB
}

const publicURL = "http://localhost:8080"

var counter = counterfoil.NewKey[int]("counter")

// who is what GET /me answers.
type who struct {
	ID, User, Token string
	Counter         int
}

func newSite(t testing.TB, c counterfoil.Config) *site {
	t.Helper()
	if c.PublicURL == "" {
		c.PublicURL = publicURL
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	m, err := counterfoil.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	s := &site{Manager: m, mux: http.NewServeMux(), t: t}
	s.mux.HandleFunc("GET /form", s.form)
	s.mux.HandleFunc("POST /login", s.login)
	s.mux.HandleFunc("POST /logout", s.logout)
	s.mux.HandleFunc("GET /me", s.me)
	s.mux.HandleFunc("/count", s.count)
	s.mux.HandleFunc("/nothing", func(w http.ResponseWriter, r *http.Request) {})
	s.handler = m.Handler(s.mux)
	return s
}

func (s *site) form(w http.ResponseWriter, r *http.Request) {
	token, err := counterfoil.CSRFToken(r.Context())
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	io.WriteString(w, token)
}

func (s *site) login(w http.ResponseWriter, r *http.Request) {
	err := s.Login(r.Context(), counterfoil.Login{User: r.PostFormValue("user"), Remember: r.PostFormValue("remember") != ""})
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	http.Redirect(w, r, "/me", http.StatusSeeOther)
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.Logout(r.Context()); err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	http.Redirect(w, r, "/form", http.StatusSeeOther)
}

func (s *site) me(w http.ResponseWriter, r *http.Request) {
	session := counterfoil.FromContext(r.Context())
	answer := who{ID: session.ID(), User: session.User()}
	var err error
	if session.Active() && session.HasCookie() && r.Header.Get("Authorization") == "" {
		var token counterfoil.AccessToken
		if token, err = s.IssueToken(r.Context()); err == nil {
			answer.Token = token.Token
			answer.Counter, err = counter.Get(r.Context())
		}
	}
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func (s *site) count(w http.ResponseWriter, r *http.Request) {
	err := counter.Update(r.Context(), func(n int) (int, error) { return n + 1, nil })
	if err != nil {
		counterfoil.WriteError(w, r, err)
	}
}

// A browser keeps the site's cookies, sends what a current browser sends, and
// puts the CSRF token of the last form into its posts.
type browser struct {
	*site
	cookies map[string]string
	csrf    string
}

func (s *site) browser() *browser { return &browser{site: s, cookies: map[string]string{}} }

// visitor is a browser that has opened the form.
func (s *site) visitor() *browser {
	b := s.browser()
	b.open()
	return b
}

// user is a browser in which somebody has logged in.
func (s *site) user(name string) *browser {
	s.t.Helper()
	b := s.visitor()
	if res := b.post("/login", "user", name); res.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("login as %s: status %d: %s", name, res.StatusCode, body(res))
	}
	b.open()
	return b
}

func (b *browser) open() {
	b.t.Helper()
	res := b.get("/form")
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("GET /form: status %d", res.StatusCode)
	}
	b.csrf = body(res)
}

func (b *browser) get(path string) *http.Response { return b.do(b.request("GET", path, "")) }

// post sends a form with the CSRF token and the fields, given as name, value,
// name, value.
func (b *browser) post(path string, fields ...string) *http.Response {
	form := url.Values{}
	if b.csrf != "" {
		form.Set(counterfoil.CSRFFieldName, b.csrf)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do(b.request("POST", path, form.Encode()))
}

func (b *browser) request(method, path, form string) *http.Request {
	r := httptest.NewRequest(method, publicURL+path, strings.NewReader(form))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", publicURL)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (b *browser) do(r *http.Request) *http.Response { return b.pass(r, b.handler) }

// pass sends a request through another handler than the site's, which has been
// wrapped by Manager.Handler.
func (b *browser) pass(r *http.Request, wrapped http.Handler) *http.Response {
	rec := httptest.NewRecorder()
	wrapped.ServeHTTP(rec, r)
	res := rec.Result()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return res
}

func (b *browser) me() who {
	b.t.Helper()
	return decode[who](b.t, b.get("/me"))
}

func (b *browser) copy() *browser {
	c := *b
	c.cookies = map[string]string{}
	for k, v := range b.cookies {
		c.cookies[k] = v
	}
	return &c
}

// handle answers one request of the browser with a handler of the test's own.
func (b *browser) handle(h http.HandlerFunc) *http.Response {
	return b.pass(b.request("GET", "/", ""), b.Handler(h))
}

// within is handle for a request that must be answered with 200.
func (b *browser) within(do func(ctx context.Context)) {
	b.t.Helper()
	res := b.handle(func(w http.ResponseWriter, r *http.Request) { do(r.Context()) })
	wantStatus(b.t, "the request", res, 200)
}

// bearer asks who a token's session belongs to.
func (s *site) bearer(token string) *http.Response {
	return s.browser().do(bearerRequest("GET", token))
}

func bearerRequest(method, token string) *http.Request {
	r := httptest.NewRequest(method, publicURL+"/me", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// withToken runs a handler for a request that came with an access token.
func (s *site) withToken(token string, do func(ctx context.Context)) *http.Response {
	return s.browser().pass(bearerRequest("GET", token), s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do(r.Context())
	})))
}

func body(res *http.Response) string {
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

func decode[T any](t testing.TB, res *http.Response) (v T) {
	t.Helper()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body(res))
	}
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func wantStatus(t testing.TB, what string, res *http.Response, want int) {
	t.Helper()
	if res.StatusCode != want {
		t.Errorf("%s: status %d, want %d: %s", what, res.StatusCode, want, body(res))
	}
}

// onEachStore runs a test on every store that there is.
func onEachStore(t *testing.T, test func(*testing.T, store.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, newMemory()) })
	t.Run("sqlite", func(t *testing.T) { test(t, newSQLite(t)) })
}

func newMemory() store.Store { return memory.New(memory.Config{}) }

func newSQLite(t testing.TB) store.Store {
	t.Helper()
	st, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "sessions.db"), sqlite.Config{})
	return opened(t, st, err)
}

func newPostgres(t testing.TB, url string) store.Store {
	t.Helper()
	st, err := postgres.Open(context.Background(), url, postgres.Config{})
	return opened(t, st, err)
}

func newRedis(t testing.TB, url, prefix string) store.Store {
	t.Helper()
	st, err := redis.Open(context.Background(), url, redis.Config{Prefix: prefix})
	return opened(t, st, err)
}

// opened closes a store at the end of the test.
func opened[S interface {
	store.Store
	Close() error
}](t testing.TB, st S, err error) store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return st
}
