package main

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// A stream is open for three seconds; then the user's sessions end elsewhere,
// and the stream says so and is over.
func TestStreamEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, err := counterfoil.New(counterfoil.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer sessions.Close()
		b := counterfoiltest.NewBrowser(t, site(sessions))
		b.LogIn(sessions, counterfoil.Login{User: "john"})
		stream := make(chan string)
		go func() {
			body, err := io.ReadAll(b.Get("/events").Body)
			if err != nil {
				t.Error(err)
			}
			stream <- string(body)
		}()

		time.Sleep(3*time.Second + 500*time.Millisecond)
		if _, err := sessions.EndUser(t.Context(), "john"); err != nil {
			t.Fatal(err)
		}
		events := strings.Split(<-stream, "\n\n")
		if want := "event: over\ndata: your session has ended"; len(events) != 6 || events[4] != want {
			t.Errorf("the stream was %q, want four times of day and %q", events, want)
		}
	})
}

// The forms of the example work.
func TestForms(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	b := counterfoiltest.NewBrowser(t, site(sessions))
	for _, step := range []struct{ path, user string }{{"/login", "john"}, {"/logout", ""}} {
		if kind := b.Get(step.path).Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
			t.Errorf("a browser shows the text of %s: it is %s", step.path, kind)
		}
		if res := b.Post(step.path, nil); res.StatusCode != 200 || b.Session(sessions).User() != step.user {
			t.Errorf("POST %s: %s, and the user is %q", step.path, res.Status, b.Session(sessions).User())
		}
	}
}
