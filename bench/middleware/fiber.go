package middleware

import (
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// newFiber mounts fiber's session middleware as its documentation shows, with
// its own storage in memory. Fiber stands on fasthttp, so it gets fasthttp's
// request; that is cheaper than one of net/http.
func newFiber(tb testing.TB, name string) app {
	var other nextNote
	handler, store := session.NewWithStore(session.Config{CookieSecure: true, CookieHTTPOnly: true})
	store.RegisterType(time.Time{})
	f := fiber.New()
	f.Use(handler)
	known := func(c fiber.Ctx, s *session.Middleware) bool {
		if who, _ := s.Get("user").(string); who != user {
			c.Status(http.StatusUnauthorized)
			return false
		}
		return true
	}
	f.Get(login, func(c fiber.Ctx) error {
		s := session.FromContext(c)
		if err := s.Regenerate(); err != nil {
			return err
		}
		s.Set("user", user)
		s.Set("login", loginTime)
		s.Set("note", notes[0])
		return nil
	})
	f.Get(identity, func(c fiber.Ctx) error {
		known(c, session.FromContext(c))
		return nil
	})
	f.Get(read, func(c fiber.Ctx) error {
		s := session.FromContext(c)
		if !known(c, s) {
			return nil
		}
		if note, _ := s.Get("note").(string); len(note) != noteSize {
			c.Status(http.StatusInternalServerError)
		}
		return nil
	})
	f.Get(change, func(c fiber.Ctx) error {
		if s := session.FromContext(c); known(c, s) {
			s.Set("note", other.next())
		}
		return nil
	})
	f.Get(show, func(c fiber.Ctx) error {
		s := session.FromContext(c)
		name, _ := s.Get("user").(string)
		at, _ := s.Get("login").(time.Time)
		note, _ := s.Get("note").(string)
		return c.SendString(shown(name, at, note))
	})
	return app{name: name, kind: report.Peer, keepsOnServer: true, fast: &fastApp{
		handler: f.Handler(),
		test:    func(r *http.Request) (*http.Response, error) { return f.Test(r) },
	}}
}
