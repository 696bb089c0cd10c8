package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/gofiber/fiber/v3"

	"github.com/counterfoil/counterfoil"
)

// sessions is the manager's Handler as a middleware of Fiber. In the handlers
// that follow, c.Context() is the context that knows the session.
//
// Fiber keeps the answer until the handler has returned. So the session is
// saved before the first byte leaves here, too, and if that fails the error goes
// out in the answer's place.
func sessions(manager *counterfoil.Manager) fiber.Handler {
	return func(c fiber.Ctx) error {
		r, err := request(c)
		if err != nil {
			return fiber.ErrBadRequest
		}
		w := &writer{c: c, header: http.Header{}}
		manager.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c.SetContext(r.Context())
			err = c.Next()
		})).ServeHTTP(w, r)
		w.sendHeader()
		if w.answers {
			return nil
		}
		return err
	}
}

// refuse answers what a handler returned.
func refuse(c fiber.Ctx, err error) error {
	if own := (*fiber.Error)(nil); errors.As(err, &own) {
		return fiber.DefaultErrorHandler(c, err)
	}
	problem := counterfoil.ProblemFor(err)
	return c.Status(problem.Status).JSON(problem, "application/problem+json")
}

// request is Fiber's request as one of net/http, for the session's sake. All is
// copied: Fiber uses its memory again for the next request.
func request(c fiber.Ctx) (*http.Request, error) {
	from := c.Request()
	u, err := url.ParseRequestURI(string(from.RequestURI()))
	if err != nil {
		return nil, err
	}
	r := &http.Request{
		Method:     string(from.Header.Method()),
		URL:        u,
		Host:       string(from.Host()),
		Header:     http.Header{},
		Body:       io.NopCloser(bytes.NewReader(bytes.Clone(c.Body()))),
		RemoteAddr: c.RequestCtx().RemoteAddr().String(),
		TLS:        c.RequestCtx().TLSConnectionState(),
	}
	for name, value := range from.Header.All() {
		r.Header.Add(string(name), string(value)) // one that comes twice stays two
	}
	return r.WithContext(c.Context()), nil
}

// A writer is where the manager puts headers, and its own answer if it has one.
type writer struct {
	c       fiber.Ctx
	header  http.Header
	answers bool
}

func (w *writer) Header() http.Header { return w.header }

// WriteHeader begins an answer in the place of the handler's.
func (w *writer) WriteHeader(status int) {
	if !w.answers {
		w.answers = true
		w.c.Response().Reset()
		w.c.Status(status)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.c.Write(p)
}

func (w *writer) sendHeader() {
	for name, values := range w.header {
		for _, value := range values {
			w.c.Response().Header.Add(name, value)
		}
	}
}
