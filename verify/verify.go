// Package verify checks access tokens of a Counterfoil server in another
// service: locally, in about a microsecond, and yet a token is refused soon
// after its session has ended.
//
// For most uses, make a [Verifier] with the client that "counterfoil client add
// NAME --can verify" printed, and wrap the mux with [Verifier.Handler]:
//
//	verifier, err := verify.New(ctx, verify.Config{
//		Issuer:       "https://sessions.example.com",
//		ClientID:     os.Getenv("CLIENT_ID"),
//		ClientSecret: os.Getenv("CLIENT_SECRET"),
//	})
//	…
//	http.ListenAndServe(addr, verifier.Handler(mux))
//
// In a handler, [FromContext] says who asks.
//
// # The bound
//
// A check that begins Config.Bound after a logout refuses (with the error of
// clocks, a thousandth). That is no matter of luck: the verifier follows the
// issuer's log of ended sessions, and accepts on its own only while it has a
// lease, the issuer's proof that the log was followed to its end not longer ago
// than that. Notifications make it faster than the bound, usually a few
// milliseconds, and never extend the lease. When the network is cut, this
// process is stopped, or the issuer is down, the lease ends by itself, and the
// [Policy] decides: ask the issuer, and refuse if it does not answer.
//
// A verifier that is new has no lease. It can neither end sessions nor sign
// tokens: the client's secret lets it read who was logged out, by id, and no
// more.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/token"
)

// A Config says whom a [Verifier] trusts, and how far. Issuer, ClientID and
// ClientSecret are required.
type Config struct {
	// Issuer is the public URL of the Counterfoil server: the iss of its tokens.
	// Upper case in the host, the scheme's own port and a slash at the end make no
	// difference.
	Issuer string

	// ClientID and ClientSecret are those of a client that may verify. They are
	// sent to the Issuer and nowhere else.
	ClientID, ClientSecret string

	// Audience is the accepted aud. Empty: the Issuer. With another, the policy
	// Introspect takes a client that may introspect as well. If the client is for
	// certain audiences, this one must be among them: of tokens for others it is
	// told that they are not active.
	Audience string

	// Bound is how long a token may be accepted after its session has ended.
	// Where the issuer's own bound is shorter, that counts; where it is longer,
	// the verifier refuses to work and says so. Zero: 2 seconds.
	Bound time.Duration

	// Policy says what happens to a good token while it can't be checked here.
	// Zero: Introspect.
	Policy Policy

	// InsecureHTTP allows an Issuer with http and a host that is not loopback.
	// Everybody on the way can then make this verifier accept what he likes.
	InsecureHTTP bool

	// Transport carries the requests to the issuer; no redirect is followed.
	// Nil: as http.DefaultTransport, but HTTP/1.1, where a connection that
	// hangs is given up with the request that noticed.
	Transport http.RoundTripper

	// CacheSize is how many tokens are remembered at most, so that the
	// signatures of those that come again need not be checked again. Let it be
	// twice as many as are in use at a time. Zero: 16,384; negative: none.
	CacheSize int

	// MaxEntries bounds how many ended sessions are remembered. A verifier that
	// is full accepts nothing by itself. Zero: 32 million, about 1 GB.
	MaxEntries int

	// ErrorHandler answers refused requests. Nil: [WriteError].
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// Logger is told what an operator should see. Nil: slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	c.Bound = cmp.Or(c.Bound, 2*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.ErrorHandler == nil {
		c.ErrorHandler = WriteError
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	if c.ClientID == "" || c.ClientSecret == "" {
		return c, errors.New("verify: Config.ClientID and ClientSecret are required: counterfoil client add NAME --can verify prints them")
	}
	if c.Bound < minBound || c.Bound > maxBound {
		return c, fmt.Errorf("verify: Config.Bound is %v: want %v to %v", c.Bound, minBound, maxBound)
	}
	written := c.Issuer
	err := c.checkIssuer()
	if c.Audience == "" || c.Audience == written {
		c.Audience = c.Issuer
	}
	return c, err
}

const (
	minBound = 50 * time.Millisecond
	maxBound = time.Minute
)

// checkIssuer gives the issuer the spelling that it has in tokens: a host has no
// case, and https needs no :443.
func (c *Config) checkIssuer() error {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("verify: Config.Issuer is not a URL such as https://sessions.example.com")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && (c.InsecureHTTP || isLoopback(strings.ToLower(u.Hostname()))):
	default:
		return fmt.Errorf("verify: Config.Issuer begins with %s://: use https, or set InsecureHTTP", u.Scheme)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	host = strings.TrimSuffix(host, ":")
	c.Issuer = u.Scheme + "://" + host + strings.TrimSuffix(u.EscapedPath(), "/")
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func newTransport() http.RoundTripper {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: maxAsking,
		IdleConnTimeout:     30 * time.Second,
		Protocols:           &protocols,
	}
}

// A Verifier checks access tokens. Make it with [New]; it is safe for
// concurrent use.
type Verifier struct {
	config Config
	client http.Client
	tokens *token.Verifier
	view   *feed.View
	keys   keys
	asking chan struct{} // a token for each question to the issuer under way

	stop context.CancelFunc
	work sync.WaitGroup
}

// New makes a verifier, which follows the issuer until ctx ends or
// [Verifier.Close]. It does not wait for the issuer, so that a service starts
// while the issuer is down; until the first proof the policy decides. To wait,
// call [Verifier.Ready].
//
// Errors: a Config that can't work.
func New(ctx context.Context, c Config) (*Verifier, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		config: c,
		client: http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tokens: token.NewVerifier(token.Config{Issuers: []string{c.Issuer}, Audiences: []string{c.Audience}, CacheSize: c.CacheSize}),
		// For how long to remember the issuer says, before it says anything else.
		view:   feed.NewView(feed.Config{Bound: c.Bound, Hold: time.Minute, MaxEntries: c.MaxEntries}),
		asking: make(chan struct{}, maxAsking),
	}
	ctx, v.stop = context.WithCancel(ctx)
	follower := feed.NewFollower(v.view, feed.FromNode(feed.NodeConfig{
		URL:          c.Issuer,
		ClientID:     c.ClientID,
		ClientSecret: c.ClientSecret,
		Transport:    c.Transport,
		MaxEntries:   c.MaxEntries,
		OnHold:       v.view.RememberFor,
	}), c.Logger)
	v.work.Go(func() { follower.Run(ctx) })
	v.work.Go(func() { v.tendKeys(ctx) })
	return v, nil
}

// Close ends the work in the background. From then on the policy decides about
// each token.
func (v *Verifier) Close() error {
	v.stop()
	v.work.Wait()
	v.view.Drop()
	v.client.CloseIdleConnections()
	return nil
}

// Ready waits until tokens are checked here: there is a proof, and the issuer's
// keys. It returns an error when ctx ends before; what is wrong is in the log.
func (v *Verifier) Ready(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !v.view.Status().Proven || !v.keys.fresh() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("verify: %s has proved nothing yet; the log says why: %w", v.config.Issuer, ctx.Err())
		}
	}
	return nil
}

// Status says how good the view of logouts is, for metrics and health checks.
func (v *Verifier) Status() feed.Status { return v.view.Status() }
