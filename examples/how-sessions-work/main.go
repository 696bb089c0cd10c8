// Command how-sessions-work is the story of docs/how-sessions-work.md.
package main

import (
	"fmt"
	"log"
	"net/http"

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
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		field, err := counterfoil.CSRFField(r.Context())
		answer(w, r, err, `<!doctype html><form method="post">%s <input name="password" type="password">
			<button>Log in</button> <button formaction="/logout">Log out</button></form>`, field)
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("password") != "open sesame" {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		err := sessions.Login(r.Context(), counterfoil.Login{User: "john"})
		answer(w, r, err, "Welcome, John.")
	})
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		jwt, err := sessions.IssueToken(r.Context())
		answer(w, r, err, "%s", jwt.Token)
	})
	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, nil, "%q", counterfoil.FromContext(r.Context()).User())
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, sessions.Logout(r.Context()), "Goodbye.")
	})
	return sessions.Handler(mux)
}

func answer(w http.ResponseWriter, r *http.Request, err error, format string, args ...any) {
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	fmt.Fprintf(w, format+"\n", args...)
}
