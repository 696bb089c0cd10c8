package verify_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/internal/pipenet"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/verify"
)

const (
	issuerURL = "http://localhost"
	clientID  = "c_test"
	secret    = "the-secret-of-c_test"
	bound     = 2 * time.Second
)

// An issuer is a node with everything that a verifier needs, on a network of
// pipes: so it runs in a bubble of testing/synctest, too.
type issuer struct {
	t        testing.TB
	sessions *counterfoil.Manager
	store    store.Store
	network  *pipenet.Network
	down     atomic.Bool   // refuses every request
	hold     time.Duration // of the node
	bound    time.Duration // likewise
	stopNode func()        // ends the node's follower and its hub, as if the process had
	feed     atomic.Pointer[http.Handler]
}

func newIssuer(t testing.TB) *issuer { return newIssuerOn(t, memory.New(memory.Config{})) }

func newIssuerOn(t testing.TB, s store.Store) *issuer {
	i := &issuer{t: t, store: s, network: pipenet.New(), hold: 12 * time.Minute, bound: bound}
	var err error
	i.sessions, err = counterfoil.New(counterfoil.Config{Store: i.store, PublicURL: issuerURL, Logger: discard})
	check(t, err)
	i.startNode()
	server := &http.Server{Handler: i.routes(), WriteTimeout: 30 * time.Second, ReadTimeout: 15 * time.Second, ErrorLog: slog.NewLogLogger(discard.Handler(), slog.LevelInfo)}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(i.network) })
	t.Cleanup(func() {
		i.stopNode()
		check(t, server.Close())
		serving.Wait()
		check(t, i.sessions.Close())
		check(t, i.store.Close())
	})
	return i
}

var discard = slog.New(slog.DiscardHandler)

// unfollowed is the view of somebody who waits for a logout and follows nothing.
var unfollowed = feed.NewView(feed.Config{Bound: bound, Hold: time.Minute})

// startNode begins a node anew, as a restart does.
func (i *issuer) startNode() {
	view := feed.NewView(feed.Config{Bound: i.bound, Hold: i.hold})
	follower := feed.NewFollower(view, feed.FromStore(i.store), discard)
	hub := feed.NewHub(view, follower)
	handler := hub.Handler(func(r *http.Request) bool {
		id, password, _ := r.BasicAuth()
		return id == clientID && password == secret
	})
	i.feed.Store(&handler)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { follower.Run(ctx) })
	work.Go(func() { hub.Run(ctx) })
	i.stopNode = sync.OnceFunc(func() {
		cancel()
		work.Wait()
	})
}

func (i *issuer) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/feed/", func(w http.ResponseWriter, r *http.Request) { (*i.feed.Load()).ServeHTTP(w, r) })
	mux.HandleFunc("/v1/feed", func(w http.ResponseWriter, r *http.Request) { (*i.feed.Load()).ServeHTTP(w, r) })
	mux.Handle("GET /.well-known/jwks.json", i.sessions.JWKS())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := counterfoil.CSRFToken(r.Context()); err != nil { // begins a session
			counterfoil.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		if err := i.sessions.Login(r.Context(), counterfoil.Login{User: "u_john", Name: "john", InsecureAllowGET: true}); err != nil {
			counterfoil.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		signed, err := i.sessions.IssueToken(r.Context())
		if err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		io.WriteString(w, signed.Token)
	})
	mux.HandleFunc("GET /v1/session", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"id": counterfoil.FromContext(r.Context()).ID()})
	})
	guarded := i.sessions.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case i.down.Load():
			http.Error(w, "down", http.StatusBadGateway)
		case r.Header.Get("Authorization") != "" && r.URL.Path != "/v1/session":
			mux.ServeHTTP(w, r)
		default:
			guarded.ServeHTTP(w, r)
		}
	})
}

// A browser keeps its cookies.
type browser struct {
	t testing.TB
	http.Client
}

func (i *issuer) browser() *browser {
	jar, err := cookiejar.New(nil)
	check(i.t, err)
	transport := i.network.Transport()
	i.t.Cleanup(transport.CloseIdleConnections)
	return &browser{i.t, http.Client{Transport: transport, Jar: jar}}
}

func (b *browser) get(path string) (body string) {
	b.t.Helper()
	res, err := b.Get(issuerURL + path)
	check(b.t, err)
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	check(b.t, err)
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s %s", path, res.Status, read)
	}
	return string(read)
}

// logIn returns an access token of a new session.
func (i *issuer) logIn() string {
	i.t.Helper()
	b := i.browser()
	defer b.CloseIdleConnections()
	b.get("/")
	b.get("/login")
	return b.get("/token")
}

// logOut ends the session of a token, as a logout on this node does.
func (i *issuer) logOut(token string) {
	i.t.Helper()
	session, err := i.sessions.CheckToken(context.Background(), token)
	check(i.t, err)
	check(i.t, i.sessions.End(context.Background(), session.ID()))
}

// verifier makes a verifier that is not ready yet.
func (i *issuer) verifier(edit ...func(*verify.Config)) *verify.Verifier {
	i.t.Helper()
	transport := i.network.Transport()
	c := verify.Config{Issuer: issuerURL, ClientID: clientID, ClientSecret: secret, Bound: bound, Transport: transport, Logger: discard}
	for _, e := range edit {
		e(&c)
	}
	v, err := verify.New(context.Background(), c)
	check(i.t, err)
	i.t.Cleanup(func() {
		check(i.t, v.Close())
		transport.CloseIdleConnections()
	})
	return v
}

func (i *issuer) readyVerifier(edit ...func(*verify.Config)) *verify.Verifier {
	i.t.Helper()
	v := i.verifier(edit...)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	check(i.t, v.Ready(ctx))
	return v
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
