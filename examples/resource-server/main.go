// Command resource-server is a service that is shown access tokens and asks the
// server about each (RFC 7662):
//
//	go run ./cmd/counterfoil client add shop --can introspect
//	CLIENT_ID=… CLIENT_SECRET=… go run ./examples/resource-server
//	curl -H "Authorization: Bearer …" http://localhost:8081
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	listen := flag.String("listen", "localhost:8081", "where to listen")
	server := flag.String("server", "http://localhost:8080", "where the server is, and whom tokens are for")
	flag.Parse()
	s := newService(*server, os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"))
	log.Fatal(http.ListenAndServe(*listen, s))
}

// A service greets whoever has an access token.
type service struct {
	server, id, secret string
	http               *http.Client
}

func newService(server, id, secret string) *service {
	return &service{server, id, secret, &http.Client{Timeout: 5 * time.Second}}
}

type introspection struct {
	Active    bool     `json:"active"`
	Username  string   `json:"username"`
	TokenType string   `json:"token_type"`
	Audience  []string `json:"aud"`
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	known := introspection{}
	if token != "" {
		var err error
		if known, err = s.ask(r.Context(), token); err != nil { // it can't be told: that is no refusal
			w.Header().Set("Retry-After", "2")
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
	}
	// A refresh token is active, too, and not for us.
	if !known.Active || known.TokenType != "Bearer" || !slices.Contains(known.Audience, s.server) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "log in", http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, "hello %s\n", known.Username)
}

// ask asks the server what an access token stands for.
func (s *service) ask(ctx context.Context, token string) (known introspection, err error) {
	form := url.Values{"token": {token}}
	r, err := http.NewRequestWithContext(ctx, "POST", s.server+"/v1/introspect", strings.NewReader(form.Encode()))
	if err != nil {
		return known, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(s.id), url.QueryEscape(s.secret))
	answer, err := s.http.Do(r)
	if err != nil {
		return known, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return known, fmt.Errorf("introspection: %s", answer.Status)
	}
	return known, json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&known)
}
