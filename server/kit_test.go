package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

const (
	cookieName = "counterfoil"
	password   = "purple otters juggle 9 lamps"
	another    = "green herons borrow 7 kettles"
)

// A site is the server, running on a real listener, with one user, John. When
// the test ends, no secret of it may stand in the log (req 5).
type site struct {
	t        testing.TB
	url      string
	server   *server.Server
	accounts *account.Accounts
	john     account.User
	log      *buffer
	secrets  *secrets
	stop     func() // as SIGTERM does; returns when everything is answered
}

// openSite serves on sessions in memory unless edit says otherwise.
func openSite(t testing.TB, edit ...func(*server.Config)) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	check(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	check(t, err)
	s := &site{t: t, url: "http://localhost:" + port, log: &buffer{}, secrets: &secrets{}}

	s.accounts = openAccounts(t)
	s.john, err = s.accounts.Find(t.Context(), "john")
	check(t, err)

	config := server.Config{Accounts: s.accounts, Logger: slog.New(slog.NewTextHandler(s.log, nil))}
	config.Sessions.PublicURL = s.url
	for _, e := range edit {
		e(&config)
	}
	s.server, err = server.New(config)
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.server.Serve(ctx, listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	s.stop = func() {
		stop()
		serving.Wait()
	}
	t.Cleanup(func() {
		s.stop()
		check(t, s.server.Close())
		s.secrets.add(password, another)
		if secret := s.secrets.in(s.log.String()); secret != "" {
			t.Errorf("the log holds the secret %q", secret)
		}
	})
	return s
}

// openAccounts opens a new database with John in it. He is added once for all
// tests: judging and hashing a password takes its time.
func openAccounts(t testing.TB) *account.Accounts {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.db")
	check(t, os.WriteFile(path, withJohn(), 0o600))
	a, err := account.Open(t.Context(), path, account.Config{})
	check(t, err)
	t.Cleanup(func() { check(t, a.Close()) })
	return a
}

var withJohn = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "counterfoil")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "accounts.db")
	a, err := account.Open(context.Background(), path, account.Config{})
	if err != nil {
		panic(err)
	}
	_, err = a.Add(context.Background(), "john", password)
	if err := errors.Join(err, a.Close()); err != nil {
		panic(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return file
})

// onEveryStore runs the test on each kind of store.
func onEveryStore(t *testing.T, test func(t *testing.T, use func(*server.Config))) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.New(memory.Config{}) },
		"sqlite": func(t *testing.T) store.Store {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), sqlite.Config{})
			check(t, err)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			sessions := open(t)
			t.Cleanup(func() { check(t, sessions.Close()) })
			test(t, func(c *server.Config) { c.Sessions.Store = sessions })
		})
	}
}

// A client sends requests and keeps cookies, as a browser does. It follows no
// redirect.
type client struct {
	s      *site
	http   *http.Client
	header http.Header // sent with every request
}

func (s *site) newClient() *client {
	jar, err := cookiejar.New(nil)
	check(s.t, err)
	return &client{s, &http.Client{
		Jar:           jar,
		Transport:     watch{s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, http.Header{}}
}

// A reply is an answer whose body has been read.
type reply struct {
	*http.Response
	body string
}

func (c *client) do(method, path string, header http.Header, body string) reply {
	c.s.t.Helper()
	r, err := http.NewRequest(method, c.s.url+path, strings.NewReader(body))
	check(c.s.t, err)
	for _, h := range []http.Header{c.header, header} {
		for k, v := range h {
			r.Header[k] = v
		}
	}
	answer, err := c.http.Do(r)
	check(c.s.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(c.s.t, err)
	return reply{answer, string(text)}
}

func (c *client) get(path string) reply { return c.do("GET", path, nil, "") }

// post sends a form with the token, unless that is empty.
func (c *client) post(path, token string, fields ...string) reply {
	c.s.t.Helper()
	form := url.Values{}
	if token != "" {
		form.Set("csrf_token", token)
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return c.do("POST", path, formHeader, form.Encode())
}

func (c *client) postJSON(path string, value any) reply {
	c.s.t.Helper()
	body, err := json.Marshal(value)
	check(c.s.t, err)
	return c.do("POST", path, jsonHeader, string(body))
}

var (
	formHeader = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	jsonHeader = http.Header{"Content-Type": {"application/json"}}
)

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

var tokenField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// token returns the CSRF token of the form on a page.
func (c *client) token(path string) string {
	c.s.t.Helper()
	page := c.get(path)
	match := tokenField.FindStringSubmatch(page.body)
	if match == nil {
		c.s.t.Fatalf("GET %s: %s, and no form with a token:\n%s", path, page.Status, page.body)
	}
	return match[1]
}

// login sends the login form.
func (c *client) login(name, password string, fields ...string) reply {
	c.s.t.Helper()
	fields = append([]string{"username", name, "password", password}, fields...)
	return c.post("/login", c.token("/login"), fields...)
}

// loggedIn is a browser in which John is logged in.
func (s *site) loggedIn() *client {
	s.t.Helper()
	c := s.newClient()
	want(s.t, c.login("john", password), 303)
	return c
}

// grant is the answer to a login of an API client.
type grant struct {
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	ExpiresIn    int            `json:"expires_in"`
	RefreshToken string         `json:"refresh_token"`
	Session      map[string]any `json:"session"`
}

func (s *site) apiLogin() grant {
	s.t.Helper()
	answer := s.newClient().postJSON("/v1/login", map[string]string{"username": "john", "password": password})
	want(s.t, answer, 200)
	return decode[grant](s.t, answer)
}

// cookie returns the value of the session cookie, or nothing.
func (c *client) cookie() string {
	u, err := url.Parse(c.s.url)
	check(c.s.t, err)
	for _, cookie := range c.http.Jar.Cookies(u) {
		if cookie.Name == cookieName {
			return cookie.Value
		}
	}
	return ""
}

// withCookie is another browser that presents the cookie, and goes on doing so
// whatever it is told.
func (s *site) withCookie(value string) *client {
	c := s.newClient()
	c.http.Jar = nil
	if value != "" {
		c.header.Set("Cookie", cookieName+"="+value)
	}
	return c
}

func decode[T any](t testing.TB, r reply) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &value); err != nil {
		t.Fatalf("%s is no JSON: %v", r.body, err)
	}
	return value
}

func want(t testing.TB, r reply, status int) {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d\n%s", r.Request.Method, r.Request.URL, r.StatusCode, status, r.body)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// watch notes every secret that the server hands out, and fails the test if a
// session cookie shows up in an answer other than in Set-Cookie, or a password
// anywhere (req 5).
type watch struct{ s *site }

var issuedToken = regexp.MustCompile(`"(?:access_token|refresh_token|csrf_token)":"([^"]+)"|name="csrf_token" value="([^"]+)"`)

func (w watch) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	for _, c := range answer.Cookies() {
		if c.Value != "" {
			w.s.secrets.addCookie(c.Value)
		}
	}
	header := answer.Header.Clone()
	header.Del("Set-Cookie")
	var text bytes.Buffer
	header.Write(&text)
	text.Write(body)
	if secret := w.s.secrets.cookieIn(text.String()); secret != "" {
		w.s.t.Errorf("%s %s: the answer holds the cookie %q outside of Set-Cookie", r.Method, r.URL, secret)
	}
	if typed := firstIn(text.String(), []string{password, another}); typed != "" {
		w.s.t.Errorf("%s %s: the answer holds the password %q", r.Method, r.URL, typed)
	}
	if err := contract().check(r, answer, body); err != nil {
		w.s.t.Errorf("%s %s: %s: not as openapi.json says: %v\n%s", r.Method, r.URL.Path, answer.Status, err, body)
	}
	for _, m := range issuedToken.FindAllStringSubmatch(string(body), -1) {
		w.s.secrets.add(m[1] + m[2])
	}
	return answer, nil
}

// secrets are what must not be seen.
type secrets struct {
	mu      sync.Mutex
	all     []string
	cookies []string
}

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, values...)
}

func (s *secrets) addCookie(value string) {
	s.add(value)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookies = append(s.cookies, value)
}

func (s *secrets) in(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return firstIn(text, s.all)
}

func (s *secrets) cookieIn(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return firstIn(text, s.cookies)
}

func firstIn(text string, secrets []string) string {
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}

// A buffer takes the log of many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
