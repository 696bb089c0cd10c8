// Command echo is a small site with sessions on Echo. Echo is an http.Handler,
// so it is wrapped like any other.
package main

import (
	"errors"
	"log"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/examples/frameworks/internal/site"
)

func main() {
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://localhost:8080"})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8080", app(sessions)))
}

var count = counterfoil.NewKey[int]("count")

func app(sessions *counterfoil.Manager) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = refuse
	e.GET("/", func(c *echo.Context) error {
		field, err := counterfoil.CSRFField(c.Request().Context())
		if err != nil {
			return err
		}
		c.Response().Header().Set("Content-Type", "text/html; charset=utf-8")
		return site.Page.Execute(c.Response(), site.Data{CSRF: field, Name: counterfoil.FromContext(c.Request().Context()).Name()})
	})
	e.GET("/count", func(c *echo.Context) error {
		var n int
		err := count.Update(c.Request().Context(), func(was int) (int, error) { n = was + 1; return n, nil })
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, strconv.Itoa(n))
	})
	e.POST("/login", func(c *echo.Context) error {
		name := c.FormValue("name")
		if !site.PasswordIsRight(name, c.FormValue("password")) {
			return c.String(http.StatusUnauthorized, "wrong name or password")
		}
		if err := sessions.Login(c.Request().Context(), counterfoil.Login{User: name}); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})
	e.POST("/logout", func(c *echo.Context) error {
		if err := sessions.Logout(c.Request().Context()); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})
	return sessions.Handler(e)
}

// refuse answers what a handler returned.
func refuse(c *echo.Context, err error) {
	if own := echo.HTTPStatusCoder(nil); errors.As(err, &own) {
		echo.DefaultHTTPErrorHandler(false)(c, err)
		return
	}
	counterfoil.WriteError(c.Response(), c.Request(), err)
}
