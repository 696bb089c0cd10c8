package counterfoil_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// BenchmarkCheck compares checks on a node with PostgreSQL behind, which asks
// nobody, with those of the memory store, which is asked each time.
func BenchmarkCheck(b *testing.B) {
	for _, s := range []struct {
		name string
		open func() store.Store
	}{
		{"memory", newMemory},
		{"postgres", func() store.Store { return newPostgres(b, servers.Postgres(b)) }},
	} {
		site := newSite(b, counterfoil.Config{Store: s.open()})
		user := site.user("john")
		h := site.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !counterfoil.FromContext(r.Context()).Active() {
				b.Fatal("not logged in")
			}
		}))
		for _, way := range []struct {
			name string
			r    *http.Request
		}{
			{"cookie", user.request("GET", "/", "")},
			{"token", bearerRequest("GET", user.me().Token)},
		} {
			b.Run(way.name+"/"+s.name, func(b *testing.B) {
				w := &nullWriter{header: http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					clear(w.header)
					h.ServeHTTP(w, way.r)
				}
			})
		}
	}
}
