package counterfoil_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// nullWriter is a ResponseWriter that costs nothing, so that the benchmark sees
// what Handler adds.
type nullWriter struct{ header http.Header }

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *nullWriter) WriteHeader(int)             {}

var note = counterfoil.NewKey[string]("note")

// benchRequest measures requests of a logged-in browser whose session holds one
// value of 200 bytes.
func benchRequest(b *testing.B, handler http.HandlerFunc, prepare func(*browser, *http.Request)) {
	s := newSite(b, counterfoil.Config{})
	user := s.user("john")
	text := strings.Repeat("x", 200)
	s.mux.HandleFunc("/fill", func(w http.ResponseWriter, r *http.Request) { note.Set(r.Context(), text) })
	user.get("/fill")
	h := s.Handler(handler)
	r := user.request("GET", "/", "")
	if prepare != nil {
		prepare(user, r)
	}
	w := &nullWriter{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkRequest(b *testing.B) {
	b.Run("identity", func(b *testing.B) {
		benchRequest(b, func(w http.ResponseWriter, r *http.Request) {
			if !counterfoil.FromContext(r.Context()).Active() {
				b.Fatal("not logged in")
			}
		}, nil)
	})
	b.Run("value-read", func(b *testing.B) {
		benchRequest(b, func(w http.ResponseWriter, r *http.Request) {
			if v, err := note.Get(r.Context()); len(v) != 200 || err != nil {
				b.Fatal(err)
			}
		}, nil)
	})
	b.Run("value-changed", func(b *testing.B) {
		texts := [2]string{strings.Repeat("a", 200), strings.Repeat("b", 200)}
		n := 0
		benchRequest(b, func(w http.ResponseWriter, r *http.Request) {
			n++
			if err := note.Set(r.Context(), texts[n%2]); err != nil {
				b.Fatal(err)
			}
			w.WriteHeader(200)
		}, nil)
	})
	b.Run("csrf-post", func(b *testing.B) {
		benchRequest(b, func(http.ResponseWriter, *http.Request) {}, func(u *browser, r *http.Request) {
			u.open()
			r.Method = "POST"
			r.Header.Set("X-CSRF-Token", u.csrf)
		})
	})
	b.Run("csrf-token", func(b *testing.B) {
		benchRequest(b, func(_ http.ResponseWriter, r *http.Request) {
			if _, err := counterfoil.CSRFToken(r.Context()); err != nil {
				b.Fatal(err)
			}
		}, nil)
	})
	b.Run("no-session", func(b *testing.B) {
		benchRequest(b, func(http.ResponseWriter, *http.Request) {}, func(_ *browser, r *http.Request) { r.Header.Del("Cookie") })
	})
	b.Run("bearer", func(b *testing.B) {
		var token string
		benchRequest(b, func(w http.ResponseWriter, r *http.Request) {
			if !counterfoil.FromContext(r.Context()).Active() {
				b.Fatal("not logged in")
			}
		}, func(u *browser, r *http.Request) {
			token = u.me().Token
			r.Header.Set("Authorization", "Bearer "+token)
		})
	})
}

func BenchmarkIssueToken(b *testing.B) {
	s := newSite(b, counterfoil.Config{})
	user := s.user("john")
	s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.IssueToken(r.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})).ServeHTTP(httptest.NewRecorder(), user.request("GET", "/", ""))
}

// BenchmarkLogin is a login without the hashing of a password: one new session
// in the store.
func BenchmarkLogin(b *testing.B) {
	for _, st := range []struct {
		name string
		open func(testing.TB) store.Store
	}{
		{"memory", func(testing.TB) store.Store { return newMemory() }},
		{"sqlite", newSQLite},
	} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d-clients", st.name, clients), func(b *testing.B) {
				s := newSite(b, counterfoil.Config{Store: st.open(b)})
				var user atomic.Int64
				b.ReportAllocs()
				b.SetParallelism(max(clients/runtime.GOMAXPROCS(0), 1))
				login := func() {
					name := fmt.Sprint("user", user.Add(1))
					if _, err := s.LoginClient(b.Context(), counterfoil.Login{User: name}, counterfoil.Client{UserAgent: "bench"}); err != nil {
						b.Error(err)
					}
				}
				if clients == 1 {
					for b.Loop() {
						login()
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						login()
					}
				})
			})
		}
	}
}
