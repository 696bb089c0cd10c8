package main

import (
	"net/http/httptest"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/examples/frameworks/internal/site"
)

func TestVisit(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	server := httptest.NewServer(app(sessions))
	defer server.Close()
	site.Visit(t, server.URL)
}
