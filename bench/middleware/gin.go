package middleware

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

func newGinInMemory(name string) app { return newGin(name, memstore.NewStore(newKey()), true) }
func newGinCookie(name string) app   { return newGin(name, cookie.NewStore(newKey()), false) }

func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}

// newGin mounts gin-contrib/sessions as its README shows, in release mode and
// without gin's own middleware, which would only cost it time.
func newGin(name string, store sessions.Store, keepsOnServer bool) app {
	gin.SetMode(gin.ReleaseMode)
	store.Options(sessions.Options{Path: "/", Secure: true, HttpOnly: true})
	var other nextNote
	engine := gin.New()
	engine.Use(sessions.Sessions("session", store))
	known := func(c *gin.Context, s sessions.Session) bool {
		if name, _ := s.Get("user").(string); name != user {
			c.Status(http.StatusUnauthorized)
			return false
		}
		return true
	}
	save := func(c *gin.Context, s sessions.Session) {
		if err := s.Save(); err != nil {
			c.Status(http.StatusInternalServerError)
		}
	}
	engine.GET(login, func(c *gin.Context) {
		s := sessions.Default(c)
		s.Set("user", user)
		s.Set("login", loginTime)
		s.Set("note", notes[0])
		save(c, s)
	})
	engine.GET(identity, func(c *gin.Context) { known(c, sessions.Default(c)) })
	engine.GET(read, func(c *gin.Context) {
		s := sessions.Default(c)
		if !known(c, s) {
			return
		}
		if note, _ := s.Get("note").(string); len(note) != noteSize {
			c.Status(http.StatusInternalServerError)
		}
	})
	engine.GET(change, func(c *gin.Context) {
		s := sessions.Default(c)
		if known(c, s) {
			s.Set("note", other.next())
			save(c, s)
		}
	})
	engine.GET(show, func(c *gin.Context) {
		s := sessions.Default(c)
		name, _ := s.Get("user").(string)
		at, _ := s.Get("login").(time.Time)
		note, _ := s.Get("note").(string)
		c.String(http.StatusOK, "%s", shown(name, at, note))
	})
	r := routes{}
	for _, path := range []string{login, identity, read, change, show} {
		r[path] = engine
	}
	return app{name: name, kind: report.Peer, routes: r, keepsOnServer: keepsOnServer}
}
