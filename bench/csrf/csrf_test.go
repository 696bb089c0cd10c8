package csrf

import (
	"net/http"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/internal/web"
)

// Each adapter does the work that is measured: it lets the right POST through
// and refuses the forged one.
func TestAdaptersDoTheWork(t *testing.T) {
	for _, a := range apps(t) {
		t.Run(a.name, func(t *testing.T) {
			b := newBrowser(t, a)
			for range 3 {
				if err := web.Sender(a.quiet, b.post())(); err != nil {
					t.Errorf("the right POST: %v", err)
				}
			}
			if err := web.Sender(a.quiet, b.get())(); err != nil {
				t.Errorf("a GET: %v", err)
			}
			if post, other := b.post(), b.withOtherHeaders(); len(post.Header) != len(other.Header) || other.Header.Get("Origin") != "" {
				t.Errorf("the other headers are %v", other.Header)
			}
			if a.kind == report.Limit {
				return
			}
			refused := func(why string, change func(*http.Request)) {
				t.Helper()
				r := b.post()
				change(r)
				if err := web.Sender(a.quiet, r)(); err == nil || !strings.Contains(err.Error(), "answers 40") {
					t.Errorf("%s: %v, want it to be refused", why, err)
				}
			}
			refused("another origin", func(r *http.Request) {
				r.Header.Set("Origin", "https://evil.example")
				r.Header.Set("Referer", "https://evil.example/")
				r.Header.Set("Sec-Fetch-Site", "cross-site")
			})
			if a.form == nil {
				return
			}
			refused("no token", func(r *http.Request) { r.Header.Del("X-CSRF-Token") })
			refused("the token of another visitor", func(r *http.Request) { r.Header.Set("X-CSRF-Token", newBrowser(t, a).token) })
			refused("no cookie", func(r *http.Request) { r.Header.Del("Cookie") })
			if again := newBrowser(t, a); again.token == b.token {
				t.Error("the token is the same for everybody")
			}
		})
	}
}
