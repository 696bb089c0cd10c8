package latency

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/verify"
)

// A site is the nodes, the verifiers, and the hub between them.
type site struct {
	config    Config
	nodes     []*node
	verifiers []verifier
	hub       *http.Server
	served    chan error
}

// startSite starts everything and waits until everybody has a first proof. The
// last node is the hub, so that the way to a verifier leads over two nodes.
func startSite(ctx context.Context, c Config) (_ *site, err error) {
	s := &site{config: c, served: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	url := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	secret := new([32]byte)
	rand.Read(secret[:])
	for range c.Nodes {
		n, err := startNode(ctx, c, url, secret)
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		s.nodes = append(s.nodes, n)
	}
	hub := s.nodes[len(s.nodes)-1].manager
	mux := http.NewServeMux()
	mux.Handle("/.well-known/jwks.json", hub.JWKS())
	mux.Handle(feed.StreamPath+"/", hub.Feed(everybody))
	mux.Handle(feed.StreamPath, hub.Feed(everybody))
	s.hub = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { s.served <- s.hub.Serve(listener) }()

	for range c.Verifiers {
		v, err := verify.New(ctx, verify.Config{
			Issuer:       url,
			ClientID:     "bench",
			ClientSecret: "bench",
			Bound:        c.Bound,
			Policy:       verify.Strict,
			Logger:       c.Log,
		})
		if err != nil {
			return nil, err
		}
		s.verifiers = append(s.verifiers, verifier{v})
	}
	for _, v := range s.verifiers {
		if err := s.await(ctx, v); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func everybody(*http.Request) bool { return true }

// await waits for a verifier's first proof.
func (s *site) await(ctx context.Context, v verifier) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := v.Ready(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func startNode(ctx context.Context, c Config, url string, secret *[32]byte) (*node, error) {
	st, err := c.Open(ctx)
	if err != nil {
		return nil, err
	}
	m, err := counterfoil.New(counterfoil.Config{
		Store:       st,
		PublicURL:   url,
		Secret:      secret,
		Bound:       c.Bound,
		MaxSessions: -1,
		Logger:      c.Log,
	})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	n := &node{manager: m, store: st}
	mux := http.NewServeMux()
	mux.HandleFunc("DELETE /", func(w http.ResponseWriter, r *http.Request) { n.answer(w, r, m.Logout) })
	mux.HandleFunc("DELETE /everywhere", func(w http.ResponseWriter, r *http.Request) { n.answer(w, r, m.LogoutEverywhere) })
	n.handler = m.Handler(mux)
	return n, nil
}

func (n *node) answer(w http.ResponseWriter, r *http.Request, logout func(context.Context) error) {
	if err := logout(r.Context()); err != nil {
		counterfoil.WriteError(w, r, err)
	}
}

// logout goes through the handler, as a request does.
func (n *node) logout(ctx context.Context, token string, everywhere bool) error {
	path := "/"
	if everywhere {
		path = "/everywhere"
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodDelete, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return fmt.Errorf("latency: a logout was answered with %d: %s", w.Code, w.Body)
	}
	return nil
}

func (s *site) close() (err error) {
	for _, v := range s.verifiers {
		err = errors.Join(err, v.Close())
	}
	for _, n := range s.nodes {
		err = errors.Join(err, n.manager.Close(), n.store.Close())
	}
	if s.hub != nil {
		err = errors.Join(err, s.hub.Close())
		if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	return err
}
