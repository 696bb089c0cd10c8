// Package exampletest runs an example over HTTP and visits it as a browser does.
package exampletest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// A Browser visits one site and keeps its cookies.
type Browser struct {
	URL    string // of the site
	Client *http.Client
	t      *testing.T
}

// Open serves the site until the test ends, and returns a browser at it.
func Open(t *testing.T, site func(*counterfoil.Manager) http.Handler) *Browser {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = site(sessions)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := sessions.Close(); err != nil {
			t.Error(err)
		}
	})
	jar, err := cookiejar.New(nil) // its only error is for options
	if err != nil {
		t.Fatal(err)
	}
	return &Browser{server.URL, &http.Client{Jar: jar}, t}
}

// Get returns the body of a page, which must have that status.
func (b *Browser) Get(path string, status int) string {
	b.t.Helper()
	res, err := b.Client.Get(b.URL + path)
	return b.Read(res, err, status)
}

// Post sends a form and returns the body of the answer, which must have that
// status. It follows redirects.
func (b *Browser) Post(path string, form url.Values, status int) string {
	b.t.Helper()
	res, err := b.Client.PostForm(b.URL+path, form)
	return b.Read(res, err, status)
}

// Read returns the body of an answer, which must have that status.
func (b *Browser) Read(res *http.Response, err error, status int) string {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode != status {
		b.t.Errorf("%s %s: status %d, want %d: %s", res.Request.Method, res.Request.URL.Path, res.StatusCode, status, body)
	}
	return strings.TrimSpace(string(body))
}

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// CSRF opens a page and returns the token in its form.
func (b *Browser) CSRF(path string) string {
	b.t.Helper()
	page := b.Get(path, http.StatusOK)
	field := csrfField.FindStringSubmatch(page)
	if field == nil {
		b.t.Fatalf("GET %s: there is no CSRF field in\n%s", path, page)
	}
	return field[1]
}
