package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/feed"
)

// secretVariable holds the secret that the nodes share, in hexadecimal digits.
const secretVariable = "FAULTS_SECRET"

// A node is a site on counterfoil.Manager that does nothing but log in and out.
type node struct{ *counterfoil.Manager }

func openNode(ctx context.Context, o options) (http.Handler, io.Closer, error) {
	s, err := openStore(ctx, o.store)
	if err != nil {
		return nil, nil, err
	}
	secret, err := hex.DecodeString(os.Getenv(secretVariable))
	if err != nil || len(secret) != 32 {
		return nil, nil, errors.Join(fmt.Errorf("%s: want 64 hexadecimal digits", secretVariable), s.Close())
	}
	m, err := counterfoil.New(counterfoil.Config{
		Store:     s,
		PublicURL: issuer,
		Secret:    (*[32]byte)(secret),
		Bound:     o.bound,
	})
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return node{m}.routes(), closers{m, s}, nil
}

// issuer is the one of all nodes, wherever they listen.
const issuer = "http://localhost"

func (n node) routes() http.Handler {
	site := http.NewServeMux() // what a browser or a client with a token asks for
	site.HandleFunc("GET /form", n.form)
	site.HandleFunc("POST /enter", n.enter)
	site.HandleFunc("GET /check", n.check)
	site.HandleFunc("GET /v1/session", n.session)
	site.HandleFunc("POST /logout", n.logout)

	hub := n.Feed(func(r *http.Request) bool {
		id, secret, _ := r.BasicAuth()
		return id == clientID && secret == clientSecret
	})
	all := http.NewServeMux()
	all.HandleFunc("POST /login", n.login)
	all.HandleFunc("POST /refresh", n.refresh)
	all.HandleFunc("POST /end", n.end)
	all.HandleFunc("POST /step", step)
	for _, path := range []string{feed.StreamPath, feed.RenewPath, feed.SnapshotPath} {
		all.Handle(path, hub)
	}
	all.Handle("GET /.well-known/jwks.json", n.JWKS())
	all.Handle("/", n.Handler(site))
	return all
}

// answer is what a login or a refresh gives. What does not apply is empty.
type answer struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh,omitempty"`
	CSRF    string `json:"csrf,omitempty"`
}

func write(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(a) // nobody is left to tell if the client has gone
}

// form begins an anonymous session, as a page with a login form does.
func (n node) form(w http.ResponseWriter, r *http.Request) {
	token, err := counterfoil.CSRFToken(r.Context())
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	write(w, answer{CSRF: token})
}

// enter logs a browser in.
func (n node) enter(w http.ResponseWriter, r *http.Request) {
	err := n.Login(r.Context(), counterfoil.Login{User: r.URL.Query().Get("user")})
	var a answer
	if err == nil {
		var access counterfoil.AccessToken
		access, err = n.IssueToken(r.Context())
		a.Access = access.Token
	}
	if err == nil {
		a.CSRF, err = counterfoil.CSRFToken(r.Context())
	}
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	write(w, a)
}

// login logs a client in that keeps tokens.
func (n node) login(w http.ResponseWriter, r *http.Request) {
	grant, err := n.LoginClient(r.Context(), counterfoil.Login{User: r.URL.Query().Get("user")}, counterfoil.Client{})
	n.granted(w, r, grant, err)
}

func (n node) refresh(w http.ResponseWriter, r *http.Request) {
	presented, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	grant, err := n.Refresh(r.Context(), string(presented))
	n.granted(w, r, grant, err)
}

func (n node) granted(w http.ResponseWriter, r *http.Request, grant counterfoil.Grant, err error) {
	if err != nil {
		counterfoil.WriteError(w, r, err)
		return
	}
	write(w, answer{Access: grant.Token, Refresh: grant.RefreshToken})
}

func (n node) check(w http.ResponseWriter, r *http.Request) {
	if !counterfoil.FromContext(r.Context()).Active() {
		counterfoil.WriteError(w, r, counterfoil.ErrInvalidToken)
	}
}

// session is what a verifier asks that can't judge for itself.
func (n node) session(w http.ResponseWriter, r *http.Request) {
	s := counterfoil.FromContext(r.Context())
	if !s.Active() {
		counterfoil.WriteError(w, r, counterfoil.ErrInvalidToken)
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"id": s.ID()}) // nobody is left to tell if the client has gone
}

func (n node) logout(w http.ResponseWriter, r *http.Request) {
	logout := n.Logout
	if r.URL.Query().Has("everywhere") {
		logout = n.LogoutEverywhere
	}
	if err := logout(r.Context()); err != nil {
		counterfoil.WriteError(w, r, err)
	}
}

func (n node) end(w http.ResponseWriter, r *http.Request) {
	if _, err := n.EndUser(r.Context(), r.URL.Query().Get("user")); err != nil {
		counterfoil.WriteError(w, r, err)
	}
}
