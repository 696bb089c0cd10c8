package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/examples/internal/exampletest"
)

// John's story, step by step as the document tells it.
func TestStory(t *testing.T) {
	john := exampletest.Open(t, site)
	form := func(csrf string) url.Values { return url.Values{"csrf_token": {csrf}, "password": {"open sesame"}} }
	whoami := func(why, want string) {
		t.Helper()
		if who := john.Get("/whoami", 200); who != want {
			t.Errorf("%s: it is %s, want %s", why, who, want)
		}
	}
	// send makes a request of somebody who keeps no cookies.
	send := func(method, path string, form url.Values, header http.Header, status int) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, john.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(r)
		return john.Read(res, err, status)
	}

	// The form comes back, and is looked at three times.
	csrf := john.CSRF("/login")
	if answer := send("POST", "/login", form(csrf), http.Header{}, 403); !strings.Contains(answer, "no-session") {
		t.Errorf("no cookie: %s", answer)
	}
	unknown := http.Header{"Cookie": {counterfoil.LoopbackCookieName + "=" + strings.Repeat("A", 64)}}
	if answer := send("POST", "/login", form(csrf), unknown, 403); !strings.Contains(answer, "unknown-session") {
		t.Errorf("unknown cookie: %s", answer)
	}
	john.Post("/login", form("another token"), 403)
	john.Post("/login", form(csrf), 200)

	// Both ways lead to the same record.
	csrf = john.CSRF("/login")
	jwt := http.Header{"Authorization": {"Bearer " + john.Get("/token", 200)}}
	whoami("by cookie", `"john"`)
	if who := send("GET", "/whoami", nil, jwt, 200); who != `"john"` {
		t.Errorf("by token it is %s", who)
	}

	// The logout tears up the counterfoil.
	here, err := url.Parse(john.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookies := john.Client.Jar.Cookies(here)
	john.Post("/logout", form(csrf), 200)
	send("GET", "/whoami", nil, jwt, 401)
	john.Client.Jar.SetCookies(here, cookies)
	whoami("by a copy of the cookie", `""`)
	john.Post("/logout", form(csrf), 403)
}
