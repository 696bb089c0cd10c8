package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/store"
)

// A node is a server on the store, as a process of its own would be.
type node struct {
	name   string
	url    string
	link   *link
	server *server.Server
	client *http.Client
	stop   context.CancelFunc
	served chan error
}

func startNode(ctx context.Context, name, publicURL string, secret *[32]byte, c Config) (_ *node, err error) {
	st, err := c.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", name, err)
	}
	n := &node{name: name, link: &link{Store: st}, client: &http.Client{Timeout: 10 * time.Second}, served: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.Close())
		}
	}()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", name, err)
	}
	n.url = fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	n.server, err = server.New(server.Config{
		Sessions: counterfoil.Config{Store: n.link, PublicURL: publicURL, Secret: secret, Bound: c.Bound},
		Accounts: c.Accounts,
		Logger:   c.Log.With("node", name),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: %s: %w", name, err), listener.Close())
	}
	ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() { n.served <- n.server.Serve(ctx, listener) }()
	return n, nil
}

func (n *node) close() error {
	n.stop()
	n.client.CloseIdleConnections()
	return errors.Join(<-n.served, n.server.Close(), n.link.Store.Close())
}

// A link leads to the store until it is cut.
type link struct {
	store.Store
	cut atomic.Bool
}

var errCut = errors.New("demo: the node is cut off from the store")

// The node finds and follows over these; the rest it does not need to refuse.
func (l *link) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	if l.cut.Load() {
		return store.News{}, errCut
	}
	return l.Store.Beat(ctx, b)
}

func (l *link) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	if l.cut.Load() {
		return store.News{}, errCut
	}
	return l.Store.Follow(ctx, after, limit)
}

func (l *link) Find(ctx context.Context, id store.SID) (store.Session, error) {
	if l.cut.Load() {
		return store.Session{}, errCut
	}
	return l.Store.Find(ctx, id)
}

// InProcess is false: a node of its own remembers, and follows the log.
func (l *link) InProcess() bool { return false }

// login returns an access token and how long it lasts.
func (n *node) login(ctx context.Context, user, password string) (string, time.Duration, error) {
	credentials, err := json.Marshal(map[string]string{"username": user, "password": password})
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	status, err := n.request(ctx, "POST", "/v1/login", "", credentials, &answer)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("demo: the login was answered with %d", status)
	}
	return answer.AccessToken, time.Duration(answer.ExpiresIn) * time.Second, err
}

// check returns how the node answers the token, or 503 where it does not.
func (n *node) check(ctx context.Context, token string) int {
	status, err := n.request(ctx, "GET", "/v1/session", token, nil, nil)
	if err != nil {
		return http.StatusServiceUnavailable
	}
	return status
}

func (n *node) logout(ctx context.Context, token string) error {
	status, err := n.request(ctx, "DELETE", "/v1/session", token, nil, nil)
	if err == nil && status != http.StatusNoContent {
		err = fmt.Errorf("demo: the logout was answered with %d", status)
	}
	return err
}

const maxAnswer = 64 << 10

func (n *node) request(ctx context.Context, method, path, token string, body []byte, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, n.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := n.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err == nil && into != nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(answer, into)
	}
	return res.StatusCode, err
}
