package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

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

// Context.Stream asks the ResponseWriter for more than net/http does.
func TestStream(t *testing.T) {
	sessions, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.GET("/", func(c *gin.Context) {
		n := 0
		c.Stream(func(w io.Writer) bool {
			n++
			fmt.Fprint(w, n)
			return n < 3
		})
	})
	server := httptest.NewServer(sessions.Handler(router))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "123" {
		t.Errorf("the stream is %q, %v", body, err)
	}
}
