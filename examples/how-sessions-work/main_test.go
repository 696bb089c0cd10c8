package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// John's story, step by step as the document tells it, over HTTP. The test says
// itself which cookie and which token are sent.
func TestStory(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	server.Config.Handler = site(sessions)
	server.Start()
	defer server.Close()

	cookie := "" // the last that was set
	send := func(method, path string, header http.Header, form url.Values, status int) (body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header.Clone()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != status {
			t.Errorf("%s %s: status %d, want %d: %s", method, path, res.StatusCode, status, text)
		}
		if kind := res.Header.Get("Content-Type"); method+path == "GET/login" && !strings.HasPrefix(kind, "text/html") {
			t.Errorf("a browser shows the text of the form: it is %s", kind)
		}
		if set := res.Cookies(); len(set) > 0 {
			cookie = set[0].Value
		}
		return strings.TrimSpace(string(text))
	}
	with := func(cookie string) http.Header {
		return http.Header{"Cookie": {counterfoil.LoopbackCookieName + "=" + cookie}}
	}
	form := func(csrf string) url.Values { return url.Values{"csrf_token": {csrf}, "password": {"open sesame"}} }
	openForm := func(header http.Header) (csrf string) {
		t.Helper()
		page := send("GET", "/login", header, nil, 200)
		field := csrfField.FindStringSubmatch(page)
		if field == nil {
			t.Fatalf("there is no CSRF field in %s", page)
		}
		return field[1]
	}
	wants := func(why, answer, text string) {
		t.Helper()
		if !strings.Contains(answer, text) {
			t.Errorf("%s: %s, want %s", why, answer, text)
		}
	}
	nothing := http.Header{}

	// 1, 2. The form comes back, and is looked at three times.
	csrf := openForm(nothing)
	wants("no cookie", send("POST", "/login", nothing, form(csrf), 403), "no-session")
	wants("unknown cookie", send("POST", "/login", with(strings.Repeat("A", 64)), form(csrf), 403), "unknown-session")
	wants("another token", send("POST", "/login", with(cookie), form("another"), 403), "csrf")
	anonymous := cookie
	send("POST", "/login", with(cookie), form(csrf), 200)
	if cookie == anonymous {
		t.Error("the login kept the cookie")
	}

	// 3, 4. Both ways lead to the same record.
	john := with(cookie)
	csrf = openForm(john)
	byToken := http.Header{"Authorization": {"Bearer " + send("GET", "/token", john, nil, 200)}}
	wants("by cookie", send("GET", "/whoami", john, nil, 200), `"john"`)
	wants("by token", send("GET", "/whoami", byToken, nil, 200), `"john"`)

	// 5. The logout tears up the counterfoil.
	send("POST", "/logout", john, form(csrf), 200)
	wants("a copy of the cookie", send("GET", "/whoami", john, nil, 200), `""`)
	wants("a form with it", send("POST", "/logout", john, form(csrf), 403), "unknown-session")
	wants("the token", send("GET", "/whoami", byToken, nil, 401), "invalid-token")
}
