package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/counterfoil/counterfoil"
)

// In a real browser: log in, write, reload, log out; and what the page does when
// the session has ended elsewhere.
func TestInABrowser(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	server := httptest.NewServer(site(sessions))
	defer server.Close()

	ctx := browser(t)
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatal(err)
		}
	}
	text := func(selector chromedp.CSS) string {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Text(selector))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const login, app, notes = chromedp.CSS("#login"), chromedp.CSS("#app"), chromedp.CSS("#notes li")
	logIn := func() {
		t.Helper()
		do(chromedp.WaitVisible(login),
			chromedp.SendKeys(chromedp.CSS("#login [name=name]"), "john"),
			chromedp.SendKeys(chromedp.CSS("#login [name=password]"), "correct horse battery staple"),
			chromedp.Click(chromedp.CSS("#login button")),
			chromedp.WaitVisible(app))
	}
	add := func(note string) {
		t.Helper()
		do(chromedp.SendKeys(chromedp.CSS("#add [name=note]"), note), chromedp.Click(chromedp.CSS("#add button")))
	}

	do(chromedp.Navigate(server.URL))
	logIn()
	add("<b>buy milk</b>")
	do(chromedp.WaitVisible(notes), chromedp.Reload(), chromedp.WaitVisible(notes))
	if got := text(notes); got != "<b>buy milk</b>" {
		t.Errorf("after a reload the note is %q", got)
	}
	do(chromedp.Click(chromedp.ID("logout")))
	logIn()

	if _, err := sessions.EndUser(t.Context(), "john"); err != nil {
		t.Fatal(err)
	}
	add("too late")
	do(chromedp.WaitVisible(login))
	if got := text("#message"); got != "Your session has ended. Log in again." {
		t.Errorf("after the session has ended elsewhere the page says %q", got)
	}
}

// why: "no other site knows the CSRF token"
func TestForgedPost(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	w := httptest.NewRecorder()
	site(sessions).ServeHTTP(w, httptest.NewRequest("POST", "/api/logout", nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d", w.Code)
	}
}

func browser(t *testing.T) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			options = append(options, chromedp.ExecPath(path))
			break
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop) // waits until the browser has ended
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	return ctx
}
