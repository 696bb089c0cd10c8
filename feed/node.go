package feed

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A NodeConfig says which node is followed. All but MaxEntries are required.
type NodeConfig struct {
	// URL is the issuer's, without a slash at its end. It must be https unless
	// everybody on the way may read the ids of sessions and the secret.
	URL string

	// ClientID and ClientSecret are those of a client that may verify.
	ClientID, ClientSecret string

	// Transport carries the requests. Redirects are not followed, so the secret
	// goes to the URL's host and nowhere else.
	Transport http.RoundTripper

	// MaxEntries bounds a snapshot. Zero: 32 million.
	MaxEntries int

	// OnHold is told for how long what the issuer issues can be good: see
	// [View.RememberFor].
	OnHold func(time.Duration)
}

// FromNode returns a node, or a load balancer in front of several, as a Source.
//
// It takes nothing back: a follower that knows of ended sessions which the store
// has lost goes on refusing them, and leaves it to the nodes to restore them.
// Whoever could write to the log could end everybody's sessions, and a verifier
// needs to read only.
func FromNode(c NodeConfig) Source {
	if c.MaxEntries == 0 {
		c.MaxEntries = defaultEntries
	}
	return &node{config: c, client: http.Client{
		Transport:     c.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type node struct {
	config NodeConfig
	client http.Client
}

// Beat asks for a proof. The answer counts only if it repeats a number that was
// drawn for this question: no cache on the way can make an old one count anew.
func (n *node) Beat(ctx context.Context, b store.Beat) (store.News, time.Duration, error) {
	p, err := n.renew(ctx, b.Node, b.After, b.Limit)
	if err != nil {
		return store.News{}, 0, err
	}
	if p.bound > b.Bound {
		return store.News{}, 0, fmt.Errorf("feed: the issuer's bound of %v exceeds ours of %v: raise Config.Bound, or lower the issuer's --bound", p.bound, b.Bound)
	}
	// The node is waited for as long as its own bound lasts, so ours must not
	// last longer: the shorter of the two counts.
	return p.News, p.age + b.Bound - p.bound, nil
}

// Follow reads entries, and makes nothing of the proof that comes with them.
func (n *node) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	p, err := n.renew(ctx, store.NewNodeID(), after, limit)
	return p.News, err
}

func (n *node) renew(ctx context.Context, follower store.NodeID, after store.Cursor, limit int) (p proof, err error) {
	var nonce hexID
	rand.Read(nonce[:]) // never fails since Go 1.24
	body, err := json.Marshal(question{
		Follower: (*hexID)(&follower),
		Nonce:    &nonce,
		After:    newWireCursor(after),
		Limit:    limit,
	})
	if err != nil {
		return p, fmt.Errorf("feed: %w", err)
	}
	answer, err := n.do(ctx, http.MethodPost, RenewPath, body)
	if err != nil {
		return p, err
	}
	defer answer.Body.Close()
	data, err := readBounded(answer.Body, maxAnswer)
	if err != nil {
		return p, err
	}
	if p, err = parseProof(data, nonce); err != nil {
		return p, err
	}
	n.config.OnHold(p.hold)
	return p, nil
}

// snapshotIdle is how long a snapshot may stand still.
const snapshotIdle = 10 * time.Second

// Snapshot reads everything that the node knows.
func (n *node) Snapshot(ctx context.Context) (store.News, error) {
	ctx, active, cancel := untilIdle(ctx, snapshotIdle)
	defer cancel()
	answer, err := n.do(ctx, http.MethodGet, SnapshotPath, nil)
	if err != nil {
		return store.News{}, err
	}
	defer answer.Body.Close()
	news, hold, err := readSnapshot(&activeReader{answer.Body, active}, uint64(n.config.MaxEntries))
	if err != nil {
		return store.News{}, err
	}
	n.config.OnHold(hold)
	return news, nil
}

// untilIdle returns a context that ends with cancel, with ctx, or when active
// has not been called for that long.
func untilIdle(ctx context.Context, after time.Duration) (idle context.Context, active, cancel func()) {
	idle, end := context.WithCancel(ctx)
	timer := time.AfterFunc(after, end)
	return idle, func() { timer.Reset(after) }, func() { timer.Stop(); end() }
}

// An activeReader calls active whenever something came.
type activeReader struct {
	io.Reader
	active func()
}

func (r *activeReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.active()
	}
	return n, err
}

// Merge is not for those who follow a node.
func (n *node) Merge(context.Context, []store.Entry) error { return errors.ErrUnsupported }

// do sends a request and returns an answer with status 200.
func (n *node) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, n.config.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.SetBasicAuth(n.config.ClientID, n.config.ClientSecret)
	answer, err := n.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("feed: ask the issuer: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 4<<10)) // so that the connection can be used again
	answer.Body.Close()
	return nil, statusError(path, answer)
}

// errDenied is no matter of a moment: an operator has to do something.
var errDenied = errors.New("the issuer refuses the client id and secret")

func statusError(path string, answer *http.Response) error {
	switch answer.StatusCode {
	case http.StatusConflict:
		return store.ErrUnknownCursor
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("feed: %w (%s): see counterfoil client list, and make one with --can verify", errDenied, answer.Status)
	case http.StatusServiceUnavailable:
		return fmt.Errorf("feed: the issuer can't prove at the moment that it knows of every logout (%s)", answer.Status)
	}
	if answer.StatusCode/100 == 3 {
		return fmt.Errorf("feed: the issuer redirects %s, which is not followed: use the address that it leads to", path)
	}
	return fmt.Errorf("feed: the issuer answers %s with %s: is the URL right, and its version new enough?", path, answer.Status)
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("feed: read the issuer's answer: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, malformed("an answer of more than %d bytes", limit)
	}
	return data, nil
}
