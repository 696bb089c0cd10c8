// Command gin is a small site with sessions on gin. Its engine is an
// http.Handler, so it is wrapped like any other.
package main

import (
	"log"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

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
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.SetHTMLTemplate(site.Page)
	router.GET("/", func(c *gin.Context) {
		field, err := counterfoil.CSRFField(c.Request.Context())
		if err != nil {
			counterfoil.WriteError(c.Writer, c.Request, err)
			return
		}
		c.HTML(http.StatusOK, "page", site.Data{CSRF: field, Name: counterfoil.FromContext(c.Request.Context()).Name()})
	})
	router.GET("/count", func(c *gin.Context) {
		var n int
		err := count.Update(c.Request.Context(), func(was int) (int, error) { n = was + 1; return n, nil })
		if err != nil {
			counterfoil.WriteError(c.Writer, c.Request, err)
			return
		}
		c.String(http.StatusOK, strconv.Itoa(n))
	})
	router.POST("/login", func(c *gin.Context) {
		name := c.PostForm("name")
		if !site.PasswordIsRight(name, c.PostForm("password")) {
			c.String(http.StatusUnauthorized, "wrong name or password")
			return
		}
		home(c, sessions.Login(c.Request.Context(), counterfoil.Login{User: name}))
	})
	router.POST("/logout", func(c *gin.Context) {
		home(c, sessions.Logout(c.Request.Context()))
	})
	return sessions.Handler(router)
}

// home leads back to the page, or says what went wrong.
func home(c *gin.Context, err error) {
	if err != nil {
		counterfoil.WriteError(c.Writer, c.Request, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}
