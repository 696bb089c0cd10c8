package counterfoil_test

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// 14.3.2: an answer that was made for one visitor is not stored, and one that may
// be stored no cache shows to the next.
func TestCachingHeaders(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	own := func(value string, h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", value)
			h(w, r)
		}
	}
	nothing := func(http.ResponseWriter, *http.Request) {}
	rotate := func(w http.ResponseWriter, r *http.Request) {
		if err := s.Rotate(r.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		why     string
		browser *browser
		answer  http.HandlerFunc
		want    string
	}{
		{"a form holds john's CSRF token", s.user("john"), s.form, "no-store"},
		{"a page shows john's value", s.user("john"), func(w http.ResponseWriter, r *http.Request) { counter.Get(r.Context()) }, "no-store"},
		{"an answer holds john's access token", s.user("john"), func(w http.ResponseWriter, r *http.Request) {
			token, err := s.IssueToken(r.Context())
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, token.Token)
		}, "no-store"},
		{"john's name comes after the first byte", s.user("john"), func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<html>")
			io.WriteString(w, counterfoil.FromContext(r.Context()).User())
		}, "no-store"},
		{"we can't know whether the handler looked", s.user("john"), nothing, "no-store"},
		{"the handler's own word counts", s.user("john"), own("private, max-age=60", nothing), "private, max-age=60"},
		{"but not where a cookie goes out", s.user("john"), own("public, max-age=60", rotate), "no-store"},
		{"a first form brings a cookie", s.browser(), own("public, max-age=60", s.form), "no-store"},
		{"a refused request says why", s.user("john"), func(w http.ResponseWriter, r *http.Request) {
			counterfoil.WriteError(w, r, counterfoil.ErrCSRF)
		}, "no-store"},
		{"a visitor without a session gets what all such get", s.browser(), nothing, ""},
		{"and the handler may have it cached", s.browser(), own("public", nothing), "public"},
	} {
		t.Run(c.why, func(t *testing.T) {
			res := c.browser.handle(c.answer)
			if got := res.Header.Get("Cache-Control"); got != c.want {
				t.Errorf("Cache-Control is %q, want %q", got, c.want)
			}
			var vary []string
			if c.want != "no-store" {
				vary = []string{"Cookie"}
			}
			if got := res.Header.Values("Vary"); !slices.Equal(got, vary) {
				t.Errorf("Vary is %q, want %q", got, vary)
			}
		})
	}
	if got := s.bearer(s.client("john").Token).Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("an answer to a bearer token has Cache-Control %q", got)
	}
}

func TestVaryIsNotRepeated(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	for _, c := range []struct {
		why  string
		own  []string
		want []string
	}{
		{"others stay", []string{"Accept-Encoding"}, []string{"Accept-Encoding", "Cookie"}},
		{"it is there", []string{"Accept-Encoding, cookie"}, []string{"Accept-Encoding, cookie"}},
		{"a star holds all", []string{"*"}, []string{"*"}},
	} {
		res := s.browser().handle(func(w http.ResponseWriter, r *http.Request) { w.Header()["Vary"] = c.own })
		if got := res.Header.Values("Vary"); !slices.Equal(got, c.want) {
			t.Errorf("%s: Vary is %q, want %q", c.why, got, c.want)
		}
	}
}

// What one handler does to its headers, even after they have left, is not seen
// in another request.
func TestHeadersAreOfOneRequest(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	for _, c := range []struct {
		browser     *browser
		name, value string
	}{
		{s.user("john"), "Cache-Control", "no-store"},
		{s.browser(), "Vary", "Cookie"},
	} {
		for range 2 {
			got := c.browser.handle(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				header := w.Header()[c.name]
				_ = append(header, "mine")
				header[0] = "mine"
			}).Header.Values(c.name)
			if !slices.Equal(got, []string{c.value}) {
				t.Errorf("%s is %q, want %q", c.name, got, c.value)
			}
		}
	}
}
