// Command event-stream sends a user events until his session ends: he logs out
// in another tab, and the stream is over. Open http://localhost:8080/login,
// then http://localhost:8080/events, and in a second tab
// http://localhost:8080/logout.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
)

func main() {
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://localhost:8080"})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8080", site(sessions)))
}

func site(sessions *counterfoil.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", form("Log in"))
	mux.HandleFunc("GET /logout", form("Log out"))
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		done(w, r, sessions.Login(r.Context(), counterfoil.Login{User: "john"})) // check a password first
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		done(w, r, sessions.Logout(r.Context()))
	})
	mux.HandleFunc("GET /events", events(sessions))
	return sessions.Handler(mux)
}

// events tells the time every second, and at last why the stream is over.
func events(sessions *counterfoil.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := sessions.UntilEnd(r.Context())
		defer cancel()
		stream := http.NewResponseController(w)
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(w, "data: %s\n\n", time.Now().Format(time.TimeOnly))
			if err := stream.Flush(); err != nil {
				return // the client has gone
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				fmt.Fprintf(w, "event: over\ndata: %s\n\n", reason(ctx))
				return
			}
		}
	}
}

func reason(ctx context.Context) string {
	if errors.Is(context.Cause(ctx), counterfoil.ErrUnavailable) {
		return "your session can't be checked at the moment"
	}
	return "your session has ended"
}

func form(button string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		field, err := counterfoil.CSRFField(r.Context())
		if err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		fmt.Fprintf(w, `<!doctype html><form method="post">%s<button>%s</button></form>`, field, button)
	}
}

func done(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	fmt.Fprintln(w, "Done.")
}
