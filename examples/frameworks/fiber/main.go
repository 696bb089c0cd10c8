// Command fiber is a small site with sessions on Fiber, which does not speak
// net/http: the middleware of middleware.go translates.
package main

import (
	"log"
	"strconv"

	"github.com/gofiber/fiber/v3"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/examples/frameworks/internal/site"
)

func main() {
	manager, err := counterfoil.New(counterfoil.Config{PublicURL: "http://localhost:8080"})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(app(manager).Listen("localhost:8080"))
}

var count = counterfoil.NewKey[int]("count")

func app(manager *counterfoil.Manager) *fiber.App {
	// Immutable: what a handler reads of a request may be kept for longer.
	app := fiber.New(fiber.Config{Immutable: true, ErrorHandler: refuse})
	app.Use(sessions(manager))
	app.Get("/", func(c fiber.Ctx) error {
		field, err := counterfoil.CSRFField(c.Context())
		if err != nil {
			return err
		}
		c.Type("html", "utf-8")
		return site.Page.Execute(c, site.Data{CSRF: field, Name: counterfoil.FromContext(c.Context()).Name()})
	})
	app.Get("/count", func(c fiber.Ctx) error {
		var n int
		err := count.Update(c.Context(), func(was int) (int, error) { n = was + 1; return n, nil })
		if err != nil {
			return err
		}
		return c.SendString(strconv.Itoa(n))
	})
	app.Post("/login", func(c fiber.Ctx) error {
		name := c.FormValue("name")
		if !site.PasswordIsRight(name, c.FormValue("password")) {
			return c.Status(fiber.StatusUnauthorized).SendString("wrong name or password")
		}
		if err := manager.Login(c.Context(), counterfoil.Login{User: name}); err != nil {
			return err
		}
		return c.Redirect().Status(fiber.StatusSeeOther).To("/")
	})
	app.Post("/logout", func(c fiber.Ctx) error {
		if err := manager.Logout(c.Context()); err != nil {
			return err
		}
		return c.Redirect().Status(fiber.StatusSeeOther).To("/")
	})
	return app
}
