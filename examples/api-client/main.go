// Command api-client uses the API of a running server: it logs in, asks who it
// is, exchanges its refresh token, and logs out. Then it shows that the tokens
// are dead, though they have not expired.
//
//	go run ./cmd/counterfoil user add john
//	go run ./cmd/counterfoil serve
//	go run ./examples/api-client -name john
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	server := flag.String("server", "http://localhost:8080", "where the server is")
	name := flag.String("name", "john", "the user's name; the password is read from PASSWORD")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := roundTrip(ctx, os.Stdout, *server, *name, os.Getenv("PASSWORD")); err != nil {
		log.Fatal(err)
	}
}

// grant is what the server gives for a password, or for a refresh token.
type grant struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in"` // seconds
}

// roundTrip tells on out what it does.
func roundTrip(ctx context.Context, out io.Writer, server, name, password string) error {
	c := client{server}
	var g grant
	credentials, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		return err
	}
	if err := c.call(ctx, "POST", "/v1/login", "", "application/json", credentials, &g); err != nil {
		return err
	}
	fmt.Fprintf(out, "logged in; the access token lives %d seconds\n", g.ExpiresIn)

	var session struct{ User string }
	if err := c.call(ctx, "GET", "/v1/session", g.AccessToken, "", nil, &session); err != nil {
		return err
	}
	fmt.Fprintf(out, "the session is %s's\n", session.User)

	// Each refresh token works once: keep the one that comes with the answer.
	if g, err = c.refresh(ctx, g); err != nil {
		return err
	}
	fmt.Fprintln(out, "refreshed")

	if err := c.call(ctx, "DELETE", "/v1/session", g.AccessToken, "", nil, nil); err != nil {
		return err
	}
	fmt.Fprintln(out, "logged out")

	err = c.call(ctx, "GET", "/v1/session", g.AccessToken, "", nil, &session)
	fmt.Fprintf(out, "the access token now: %v\n", err)
	_, err = c.refresh(ctx, g)
	fmt.Fprintf(out, "the refresh token now: %v\n", err)
	if err == nil {
		return errors.New("a refresh token outlived its session")
	}
	return nil
}

// A client calls one server.
type client struct{ server string }

func (c client) refresh(ctx context.Context, old grant) (next grant, err error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.RefreshToken}}
	err = c.call(ctx, "POST", "/v1/token", "", "application/x-www-form-urlencoded", []byte(form.Encode()), &next)
	return next, err
}

// call sends a request and reads the JSON of its answer into result, unless
// that is nil. An answer that is no success is an error.
func (c client) call(ctx context.Context, method, path, token, contentType string, body []byte, result any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, path, res.Status, strings.TrimSpace(string(answer)))
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}
