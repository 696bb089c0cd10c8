package counterfoil_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
)

// G1: "Any check that starts Δ·(1+ρ) after Logout returned refuses. The node that
// served the logout refuses at once." No verdict is remembered: it makes no
// difference how often the very same request was accepted before.
func TestTheVerdictIsNeverCached(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T) (nodes []store.Store) // of one store
	}{
		{"memory", func(t *testing.T) []store.Store { return twice(newMemory()) }},
		{"memory, remembered", func(t *testing.T) []store.Store { return twice(silentStore{newMemory()}) }},
		{"sqlite", func(t *testing.T) []store.Store { return twice(newSQLite(t)) }},
		{"postgres", func(t *testing.T) []store.Store {
			url := servers.Postgres(t)
			return []store.Store{newPostgres(t, url), newPostgres(t, url)}
		}},
		{"redis", func(t *testing.T) []store.Store {
			url, prefix := servers.Redis(t)
			return []store.Store{newRedis(t, url, prefix), newRedis(t, url, prefix)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var nodes []*node
			for _, st := range c.open(t) {
				nodes = append(nodes, &node{site: newSite(t, counterfoil.Config{Store: st, Secret: nodeSecret})})
			}
			b := nodes[0].user("john")
			requests := map[string]*http.Request{
				"cookie": b.request("GET", "/", ""),
				"token":  bearerRequest("GET", b.me().Token),
			}
			want := func(when string, status int, nodes ...*node) {
				t.Helper()
				for range 100 {
					for way, r := range requests {
						for i, n := range nodes {
							if got := n.handlerOnly(r); got != status {
								t.Fatalf("%s, node %d by %s: %d, want %d", when, i, way, got, status)
							}
						}
					}
				}
			}
			want("before the logout", 200, nodes...)
			wantStatus(t, "logout", b.post("/logout"), http.StatusSeeOther)
			end := time.Now().Add(longest)
			want("where the logout was served", 401, nodes[0])
			for _, r := range requests {
				for time.Now().Before(end) && nodes[1].handlerOnly(r) == 200 {
					time.Sleep(time.Millisecond)
				}
			}
			want("after the bound, or sooner", 401, nodes...)
		})
	}
}

func twice(st store.Store) []store.Store { return []store.Store{st, st} }
