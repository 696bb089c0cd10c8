package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// A naive site has the URLs of ours and none of its protection. Attacks have to
// work on it: otherwise that they fail on ours would mean nothing.
type naive struct {
	mu       sync.Mutex
	password string
	ended    map[string]bool // sessions; one is called like its user
}

const naiveCookie = "session"

func newNaive() *naive { return &naive{password: password, ended: map[string]bool{}} }

func (n *naive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.Header().Set("Access-Control-Allow-Methods", "DELETE")
	}
	w.Header().Set("Content-Type", "text/html")
	user := ""
	if c, err := r.Cookie(naiveCookie); err == nil {
		user = c.Value
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended[user] {
		user = ""
	}
	method := r.Method
	if r.URL.Query().Get("_method") != "" {
		method = r.URL.Query().Get("_method")
	}
	switch {
	case method == http.MethodOptions:
	case r.URL.Path == "/logout", r.URL.Path == "/v1/session" && method == http.MethodDelete:
		n.ended[user] = true
	case r.URL.Path == "/account/password" && user != "":
		_ = r.ParseMultipartForm(1 << 10) // whatever it is, FormValue finds it
		n.password = r.FormValue("new_password")
	case r.URL.Path == "/login":
		n.logIn(w, r.FormValue("username"))
	case r.URL.Path == "/v1/login":
		var in struct{ Username string }
		raw, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(raw, &in) // nobody is logged in where it fails
		n.logIn(w, in.Username)
	case r.URL.Path == "/account" && user != "":
		fmt.Fprintf(w, `<form action="/logout" method="post">You are logged in as %s
			<button style="position:fixed;inset:0">Log out</button></form>`, user)
	default:
		fmt.Fprint(w, "Log in")
	}
}

func (n *naive) logIn(w http.ResponseWriter, user string) {
	http.SetCookie(w, &http.Cookie{Name: naiveCookie, Value: strings.ToLower(user), Path: "/", Secure: true, SameSite: http.SameSiteNoneMode})
}

// reset puts everything back as it was before an attack.
func (n *naive) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.password = password
	clear(n.ended)
}

func (n *naive) passwordIs(want string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.password == want
}
