// Package web sends requests to handlers without a socket, the same way to
// everybody's.
package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

// Origin is where the applications are found.
const Origin = "https://bench.example.com"

// Request is what every library gets. A browser sends more headers; these are
// those that somebody reads.
func Request(method, path string, cookies map[string]string) *http.Request {
	r := httptest.NewRequest(method, Origin+path, nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// Sender returns a function that sends the same request to a handler again and
// again. It costs next to nothing itself: the ResponseWriter remembers the
// status only. It returns an error unless that is 200.
func Sender(h http.Handler, template *http.Request) func() error {
	w := &writer{header: http.Header{}}
	var r http.Request
	return func() error {
		// A new request each time: gorilla/sessions keeps what it has decoded in
		// the request that it is given.
		r = *template
		clear(w.header)
		w.status = http.StatusOK
		h.ServeHTTP(w, &r)
		if w.status != http.StatusOK {
			return fmt.Errorf("%s %s answers %d", r.Method, r.URL.Path, w.status)
		}
		return nil
	}
}

// writer is a ResponseWriter that throws all but the status away.
type writer struct {
	header http.Header
	status int
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(status int)      { w.status = status }

// Repeat sends n times.
func Repeat(send func() error, n int) error {
	for range n {
		if err := send(); err != nil {
			return err
		}
	}
	return nil
}
