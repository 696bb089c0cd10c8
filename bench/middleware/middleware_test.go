package middleware

import (
	"net/http"
	"os"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// Each adapter does the work that is measured: it knows who logged in, gives
// back what was set, sets what is changed, and knows nobody without a cookie.
func TestAdaptersDoTheWork(t *testing.T) {
	redisURL, _ := servers.Redis(t)
	var apps []app
	for _, l := range inMemory {
		if a := l.open(t, l.name); a.kind != report.Limit {
			apps = append(apps, a)
		}
	}
	apps = append(apps, onRedis(t, redisURL)...)
	apps = append(apps, onPostgres(t, servers.Postgres(t))...)
	apps = append(apps, onSQLite(t, t.TempDir())...)
	for _, a := range apps {
		t.Run(a.name, func(t *testing.T) {
			b := newBrowser(t, a)
			visit := func(why, path string, status int, want string) {
				t.Helper()
				if got, body := b.visit(t, path); got != status || body != want {
					t.Errorf("%s: %s answers %d %q, want %d %q", why, path, got, body, status, want)
				}
			}
			visit("what the login has set", show, 200, user+" true "+notes[0])
			visit("who it is", identity, 200, "")
			visit("the note has its size", read, 200, "")
			visit("a change", change, 200, "")
			visit("the change is there", show, 200, user+" true "+notes[1])
			visit("another change", change, 200, "")
			visit("it is there, too", show, 200, user+" true "+notes[0])

			for path, send := range map[string]func() error{identity: b.sender(identity), read: b.sender(read), change: b.sender(change)} {
				for range 3 {
					if err := send(); err != nil {
						t.Errorf("as it is measured: %v", err)
					}
				}
				stranger := &browser{app: a, cookies: map[string]string{}}
				if err := stranger.sender(path)(); err == nil {
					t.Errorf("%s answers 200 to somebody without a session", path)
				}
			}
			if _, body := b.visit(t, show); a.keepsOnServer && body != user+" true "+notes[1] {
				t.Errorf("three changes as they are measured leave %q", body)
			}
		})
	}
}

// The bare handler is none of the libraries, but it must see the request.
func TestTheBareHandlerSeesTheCookie(t *testing.T) {
	b := &browser{app: newBare("bare"), cookies: map[string]string{"session": "x"}}
	if status, _ := b.visit(t, identity); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if err := (&browser{app: newBare("bare")}).sender(identity)(); err == nil {
		t.Error("it answers 200 to a request without a cookie")
	}
}
