package main

import (
	"bufio"
	"net/url"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/examples/internal/exampletest"
)

// A stream is open; the user logs out in another tab; the stream is over.
func TestStreamEndsWithTheSession(t *testing.T) {
	b := exampletest.Open(t, site)
	press := func(page string) { b.Post(page, url.Values{"csrf_token": {b.CSRF(page)}}, 200) }

	press("/login")
	stream, err := b.Client.Get(b.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "data: ") {
		t.Fatalf("the stream began with %q", lines.Text())
	}
	press("/logout")
	var rest []string
	for lines.Scan() { // to the end of the stream
		rest = append(rest, lines.Text())
	}
	if text := strings.Join(rest, "\n"); !strings.Contains(text, "event: over\ndata: your session has ended") {
		t.Errorf("the stream ended with %q", text)
	}
}
