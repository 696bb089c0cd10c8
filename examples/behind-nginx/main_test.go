package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
)

const (
	site     = "http://localhost:8000"
	password = "purple otters juggle 9 lamps"
)

// The application's visitors come through a real nginx, with the example's file.
func TestVisit(t *testing.T) {
	var got atomic.Pointer[http.Header] // by the application, the latest
	notes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(&r.Header)
		app().ServeHTTP(w, r)
	}))
	defer notes.Close()
	id, auth := startCounterfoil(t)
	browser := newBrowser(t, startNginx(t, auth, notes.Listener.Addr().String()))

	if status, _, _ := browser.send("GET", "/", http.Header{"X-Auth-User": {id}}, nil); status != 401 || got.Load() != nil {
		t.Errorf("a program that says that it is john: %d; the application was asked: %t", status, got.Load() != nil)
	}
	status, where, _ := browser.send("GET", "/", page, nil)
	if status != 303 || !strings.HasPrefix(where, site+"/login?next=") {
		t.Fatalf("a visitor is answered with %d, and led to %q", status, where)
	}
	_, _, form := browser.send("GET", strings.TrimPrefix(where, site), page, nil)
	status, where, _ = browser.send("POST", "/login", http.Header{"Origin": {site}}, url.Values{
		"username": {"john"}, "password": {password}, "next": {site + "/"}, "csrf_token": {csrf(t, form)},
	})
	if status != 303 || where != site+"/" {
		t.Fatalf("the login is answered with %d, and leads to %q", status, where)
	}

	forged := http.Header{"Sec-Fetch-Mode": {"navigate"}, "X-Auth-User": {"u_mary"}, "X_Auth_User": {"u_mary"},
		"Connection": {"X-Auth-User"}, "Cookie": {"theme=dark"}}
	status, _, body := browser.send("GET", "/", forged, nil)
	if status != 200 || !strings.Contains(body, "Hello, john. Your id is "+id+".") {
		t.Errorf("after the login: %d %s", status, body)
	}
	if h := *got.Load(); h["X_auth_user"] != nil || strings.Contains(h.Get("Cookie"), "counterfoil") || !strings.Contains(h.Get("Cookie"), "theme=dark") {
		t.Errorf("the application gets what opens or forges a session, or not its own cookie: %v", h)
	}

	_, _, form = browser.send("GET", "/account", page, nil)
	if status, _, body = browser.send("POST", "/logout", http.Header{"Origin": {site}}, url.Values{"csrf_token": {csrf(t, form)}}); status != 303 {
		t.Fatalf("the logout: %d %s", status, body)
	}
	got.Store(nil)
	if status, _, _ = browser.send("GET", "/", page, nil); status != 303 || got.Load() != nil {
		t.Errorf("after the logout: %d; the application was asked: %t", status, got.Load() != nil)
	}
}

// While nobody can say who asks, nobody gets in.
func TestCounterfoilIsDown(t *testing.T) {
	notes := httptest.NewServer(app())
	defer notes.Close()
	browser := newBrowser(t, startNginx(t, "127.0.0.1:1", notes.Listener.Addr().String())) // nothing listens there
	if status, _, _ := browser.send("GET", "/", page, nil); status != 503 {
		t.Errorf("status %d, want 503", status)
	}
}

func startNginx(t *testing.T, auth, app string) (address string) {
	t.Helper()
	file, err := os.ReadFile("nginx.conf")
	check(t, err)
	fill := strings.NewReplacer("127.0.0.1:8000", "127.0.0.1:PORT", "127.0.0.1:8080", auth, "127.0.0.1:3000", app)
	return servers.StartProxy(t, servers.Proxy{
		Program: "nginx",
		Args:    []string{"-p", "DIR", "-e", "stderr", "-g", "master_process off;", "-c", "DIR/nginx.conf"},
		Files:   map[string]string{"nginx.conf": fill.Replace(string(file))},
	})
}

// startCounterfoil returns john's id and the server's address.
func startCounterfoil(t *testing.T) (john, address string) {
	t.Helper()
	accounts, err := account.Open(t.Context(), filepath.Join(t.TempDir(), "accounts.db"), account.Config{})
	check(t, err)
	t.Cleanup(func() { check(t, accounts.Close()) })
	user, err := accounts.Add(t.Context(), "john", password)
	check(t, err)
	s, err := server.New(server.Config{
		Sessions:       counterfoil.Config{PublicURL: site},
		Accounts:       accounts,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Logger:         slog.New(slog.DiscardHandler),
	})
	check(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		serving.Wait()
		check(t, s.Close())
	})
	return user.ID, listener.Addr().String()
}

// A browser keeps cookies, and follows no redirect by itself.
type browser struct {
	t    *testing.T
	http *http.Client
}

// page is what a browser sends for a page, and not for a part of one.
var page = http.Header{"Sec-Fetch-Mode": {"navigate"}}

func newBrowser(t *testing.T, address string) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	check(t, err)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return browser{t, &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b browser) send(method, path string, header http.Header, form url.Values) (status int, location, body string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, site+path, strings.NewReader(form.Encode()))
	check(b.t, err)
	r.Header = header.Clone()
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := b.http.Do(r)
	check(b.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(b.t, err)
	return answer.StatusCode, answer.Header.Get("Location"), string(text)
}

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// csrf is the token in a form.
func csrf(t *testing.T, form string) string {
	t.Helper()
	found := csrfField.FindStringSubmatch(form)
	if found == nil {
		t.Fatalf("there is no CSRF token in %s", form)
	}
	return found[1]
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
