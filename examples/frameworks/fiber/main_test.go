package main

import (
	"net"
	"testing"

	"github.com/gofiber/fiber/v3"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/examples/frameworks/internal/site"
)

func TestVisit(t *testing.T) {
	manager, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	app, ended := app(manager), make(chan error)
	go func() { ended <- app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	site.Visit(t, "http://"+listener.Addr().String())
	if err := app.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
