// Command single-page is an app of one page whose script talks to an API with
// fetch. Open http://localhost:8080 and log in as john with the password
// "correct horse battery staple".
//
// The browser's cookie is HttpOnly, so a script that got in could not carry it
// away. The CSRF token comes with GET /api/session and goes back in a header; it
// is another one after a login.
package main

import (
	"crypto/subtle"
	"embed"
	"encoding/json"
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

//go:embed index.html app.js
var files embed.FS

var notes = counterfoil.NewKey[[]string]("notes")

// state is what the page shows.
type state struct {
	CSRF  string   `json:"csrf"`
	User  string   `json:"user"` // empty: nobody is logged in
	Notes []string `json:"notes"`
}

func site(sessions *counterfoil.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/session", showState)
	mux.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		var login struct{ Name, Password string }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&login); err != nil || !passwordIsRight(login.Name, login.Password) {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		if err := sessions.Login(r.Context(), counterfoil.Login{User: login.Name}); err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		showState(w, r)
	})
	mux.HandleFunc("POST /api/notes", func(w http.ResponseWriter, r *http.Request) {
		var note string
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&note); err != nil || !counterfoil.FromContext(r.Context()).Active() {
			http.Error(w, "log in, and send a text", http.StatusBadRequest)
			return
		}
		err := notes.Update(r.Context(), func(list []string) ([]string, error) {
			return append(list, note)[max(0, len(list)-99):], nil // the last hundred
		})
		if err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		showState(w, r)
	})
	mux.HandleFunc("POST /api/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(r.Context()); err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return sessions.Handler(mux)
}

func showState(w http.ResponseWriter, r *http.Request) {
	csrf, err := counterfoil.CSRFToken(r.Context())
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	list, err := notes.Get(r.Context())
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(state{csrf, counterfoil.FromContext(r.Context()).Name(), list})
}

// passwordIsRight stands for a look into your users' table, which keeps slow
// hashes of passwords, such as Argon2id.
func passwordIsRight(name, password string) bool {
	return name == "john" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse battery staple")) == 1
}
