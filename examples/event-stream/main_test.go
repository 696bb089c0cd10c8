package main

import (
	"bufio"
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

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// A stream is open; the user logs out in another tab; the stream is over.
func TestStreamEndsWithTheSession(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	server.Config.Handler = site(sessions)
	server.Start()
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}

	press := func(page string) {
		t.Helper()
		res, err := browser.Get(server.URL + page)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		field := csrfField.FindStringSubmatch(string(body))
		if field == nil {
			t.Fatalf("no CSRF field in %s", body)
		}
		res, err = browser.PostForm(server.URL+page, url.Values{"csrf_token": {field[1]}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("POST %s: status %d", page, res.StatusCode)
		}
	}

	press("/login")
	stream, err := browser.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "data: ") {
		t.Fatalf("the stream began with %q", lines.Text())
	}
	press("/logout")
	var last []string
	for lines.Scan() { // to the end of the stream
		last = append(last, lines.Text())
	}
	if text := strings.Join(last, "\n"); !strings.Contains(text, "event: over\ndata: your session has ended") {
		t.Errorf("the stream ended with %q", text)
	}
}
