package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/web"
	"github.com/counterfoil/counterfoil/store"
)

// maxVisits bounds the cookies that are prepared for a round.
const maxVisits = 100_000

// visits is a case of requests by sessions drawn at random.
func visits(name string, h http.Handler, sessions int, cookie func(int) string) measure.Case {
	var cookies []string
	template := web.Request(http.MethodGet, "/", nil)
	w := &answer{header: http.Header{}}
	return measure.Case{
		Name: name,
		Max:  maxVisits,
		Prepare: func(n int) error {
			cookies = cookies[:0]
			for range n {
				cookies = append(cookies, cookie(rand.IntN(sessions)))
			}
			return nil
		},
		Run: func(n int) error {
			for _, c := range cookies[:n] {
				if err := w.to(h, template, c); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// finds is a case of Store.Find of sessions drawn at random.
func finds(ctx context.Context, name string, s store.Store, ids []store.SID) measure.Case {
	var asked []store.SID
	return measure.Case{
		Name: name,
		Max:  maxVisits,
		Prepare: func(n int) error {
			asked = asked[:0]
			for range n {
				asked = append(asked, ids[rand.IntN(len(ids))])
			}
			return nil
		},
		Run: func(n int) error {
			for _, id := range asked[:n] {
				if found, err := s.Find(ctx, id); err != nil || found.ID != id {
					return fmt.Errorf("find %v: %w", id, err)
				}
			}
			return nil
		},
	}
}

// answer is a ResponseWriter that remembers the status, and how much was
// written: whoever asks gets his id back.
type answer struct {
	request http.Request // which takes no memory of its own each time
	header  http.Header
	status  int
	size    int
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }
func (a *answer) Write(p []byte) (int, error) {
	a.size += len(p)
	return len(p), nil
}
func (a *answer) WriteString(s string) (int, error) {
	a.size += len(s)
	return len(s), nil
}

// to sends a request with that cookie.
func (a *answer) to(h http.Handler, template *http.Request, cookie string) error {
	a.request = *template
	a.request.Header["Cookie"] = append(a.request.Header["Cookie"][:0], cookie)
	clear(a.header)
	a.status, a.size = http.StatusOK, 0
	h.ServeHTTP(a, &a.request)
	if a.status != http.StatusOK || a.size != userSize {
		return fmt.Errorf("a request of a live session is answered by %d and %d bytes", a.status, a.size)
	}
	return nil
}
