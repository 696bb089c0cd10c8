// Command twenty-lines is a small site with sessions: a form, a login, a page
// that knows who asks, and a logout. Open http://localhost:8080 and log in as
// john with the password "correct horse battery staple".
package main

import (
	"crypto/subtle"
	"html/template"
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
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		field, err := counterfoil.CSRFField(r.Context()) // on a first visit it begins a session
		if err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		name := counterfoil.FromContext(r.Context()).Name() // empty: nobody is logged in
		page.Execute(w, map[string]any{"CSRF": field, "Name": name})
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		name := r.PostFormValue("name")
		if !passwordIsRight(name, r.PostFormValue("password")) {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		home(w, r, sessions.Login(r.Context(), counterfoil.Login{User: name}))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		home(w, r, sessions.Logout(r.Context()))
	})
	return sessions.Handler(mux)
}

// home leads back to the page, or says what went wrong.
func home(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// passwordIsRight stands for a look into your users' table, which keeps slow
// hashes of passwords, such as Argon2id.
func passwordIsRight(name, password string) bool {
	return name == "john" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse battery staple")) == 1
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<title>Counterfoil</title>
{{if .Name -}}
<p>Hello, {{.Name}}.</p>
<form method="post" action="/logout">{{.CSRF}}<button>Log out</button></form>
{{- else -}}
<form method="post" action="/login">{{.CSRF}}
<label>Name <input name="name" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Log in</button>
</form>
{{- end}}
`))
