package tokens

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/verify"
)

// A node issues tokens and tells verifiers who has logged out, over a real
// socket.
type node struct {
	sessions *counterfoil.Manager
	url      string
	cookie   *http.Cookie // of the session that issues tokens
}

const (
	clientID     = "c_bench"
	clientSecret = "the-secret-of-c_bench"
)

var discard = slog.New(slog.DiscardHandler)

func startNode(tb testing.TB) *node {
	tb.Helper()
	server := httptest.NewUnstartedServer(nil)
	n := &node{url: "http://" + server.Listener.Addr().String()}
	var err error
	n.sessions, err = counterfoil.New(counterfoil.Config{PublicURL: n.url, Logger: discard})
	if err != nil {
		tb.Fatal(err)
	}
	routes := http.NewServeMux()
	feed := n.sessions.Feed(func(r *http.Request) bool {
		id, secret, _ := r.BasicAuth()
		return id == clientID && secret == clientSecret
	})
	routes.Handle("/v1/feed", feed)
	routes.Handle("/v1/feed/", feed)
	routes.Handle("GET /.well-known/jwks.json", n.sessions.JWKS())
	server.Config.Handler = routes
	server.Start()
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := n.sessions.Close(); err != nil {
			tb.Error(err)
		}
	})
	n.logIn(tb)
	return n
}

// logIn makes the browser's session that tokens are issued for.
func (n *node) logIn(tb testing.TB) {
	tb.Helper()
	n.visit(tb, func(ctx context.Context) error {
		_, err := counterfoil.CSRFToken(ctx)
		return err
	})
	n.visit(tb, func(ctx context.Context) error {
		return n.sessions.Login(ctx, counterfoil.Login{User: user, Name: username, InsecureAllowGET: true})
	})
}

// visit does something in a handler.
func (n *node) visit(tb testing.TB, do func(context.Context) error) {
	tb.Helper()
	r := httptest.NewRequest(http.MethodGet, n.url+"/", nil)
	if n.cookie != nil {
		r.AddCookie(n.cookie)
	}
	w := httptest.NewRecorder()
	var err error
	n.sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { err = do(r.Context()) })).ServeHTTP(w, r)
	if err != nil || w.Code != http.StatusOK {
		tb.Fatalf("status %d: %v", w.Code, err)
	}
	for _, c := range w.Result().Cookies() {
		n.cookie = c
	}
}

// issue issues n tokens for the browser's session.
func (n *node) issue(tb testing.TB, count int) []string {
	tb.Helper()
	tokens := make([]string, count)
	n.visit(tb, func(ctx context.Context) error {
		for i := range tokens {
			issued, err := n.sessions.IssueToken(ctx)
			if err != nil {
				return err
			}
			tokens[i] = issued.Token
		}
		return nil
	})
	return tokens
}

// logInClient returns the token of a new session of a user.
func (n *node) logInClient(ctx context.Context, user string) (counterfoil.Grant, error) {
	return n.sessions.LoginClient(ctx, counterfoil.Login{User: user, Name: username}, counterfoil.Client{UserAgent: "bench"})
}

// end ends sessions of other users, so that there is something to look at.
func (n *node) end(ctx context.Context, sessions int) error {
	for i := range sessions {
		name := fmt.Sprint("u_gone", i)
		if _, err := n.logInClient(ctx, name); err != nil {
			return err
		}
		if _, err := n.sessions.EndUser(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// verifier makes a verifier that follows the node and remembers so many tokens;
// zero: the default. It never asks the node about a token: such a check would be
// none to measure.
func (n *node) verifier(tb testing.TB, cacheSize int) *verify.Verifier {
	tb.Helper()
	v, err := verify.New(context.WithoutCancel(tb.Context()), verify.Config{Issuer: n.url, ClientID: clientID, ClientSecret: clientSecret, Logger: discard, Policy: verify.Strict, CacheSize: cacheSize})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := v.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := ready(tb.Context(), v); err != nil {
		tb.Fatal(err)
	}
	return v
}
