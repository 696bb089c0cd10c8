package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/store"
)

type serveCmd struct {
	Listen          string        `default:"localhost:8080" env:"COUNTERFOIL_LISTEN" placeholder:"HOST:PORT" help:"Where to listen; port 0 picks one. Default: localhost:8080 (${env})."`
	PublicURL       string        `name:"public-url" env:"COUNTERFOIL_PUBLIC_URL" placeholder:"URL" help:"Where browsers find the site. Default: http://localhost and the port (${env})."`
	InsecureHTTP    bool          `name:"insecure-http" env:"COUNTERFOIL_INSECURE_HTTP" help:"Allow plain http beyond this machine: everybody on the way can take sessions over (${env})."`
	Bound           time.Duration `default:"2s" env:"COUNTERFOIL_BOUND" help:"How old this server's view of logouts may be (${env})."`
	Canary          time.Duration `env:"COUNTERFOIL_CANARY" placeholder:"TIME" help:"How often to end a session of its own and measure until when this server accepts it, a second or more; /readyz tells. Default: never (${env})."`
	TokenLife       time.Duration `default:"10m" env:"COUNTERFOIL_TOKEN_LIFE" help:"How long an access token works (${env})."`
	Idle            time.Duration `default:"1h" env:"COUNTERFOIL_IDLE" help:"After how long without use a session ends (${env})."`
	Lifetime        time.Duration `default:"24h" env:"COUNTERFOIL_LIFETIME" help:"After how long a session ends in any case (${env})."`
	MaxSessions     int           `default:"100" env:"COUNTERFOIL_MAX_SESSIONS" help:"How many sessions a user may have; the oldest ends. 0: no limit (${env})."`
	ReceiverNetwork []network     `env:"COUNTERFOIL_RECEIVER_NETWORK" placeholder:"CIDR" help:"Networks, private ones or this machine's, in which clients may be told of logouts. Default: the internet only (${env})."`
	Resource        []string      `env:"COUNTERFOIL_RESOURCE" placeholder:"URL" help:"A service that access tokens may be asked for, besides this one: the resource of RFC 8707, and the aud. Repeat it, or put a comma between (${env})."`
	StatusList      bool          `env:"COUNTERFOIL_STATUS_LIST" help:"Give access tokens a place in a list at /v1/status/ that shows whose sessions have ended (${env})."`
	TrustedProxy    []network     `env:"COUNTERFOIL_TRUSTED_PROXY" placeholder:"CIDR" help:"Proxies whose X-Forwarded-For, and whose word about what they ask /auth about, is believed (${env})."`

	AppOrigin      []string `env:"COUNTERFOIL_APP_ORIGIN" placeholder:"URL" help:"A site behind the front door that a login may lead back to, besides the public URL. Repeat it, or put a comma between (${env})."`
	CookieDomain   string   `env:"COUNTERFOIL_COOKIE_DOMAIN" placeholder:"DOMAIN" help:"Share the login with every host of a domain: each of them can then take sessions over (${env})."`
	IdentityToken  bool     `env:"COUNTERFOIL_IDENTITY_TOKEN" help:"Give sites behind the front door a signed word about who asks, in X-Auth-Token (${env})."`
	AmbiguousPaths bool     `env:"COUNTERFOIL_AMBIGUOUS_PATHS" help:"Let requests through the front door whose path can be read in more than one way, such as with // or %2f (${env})."`
}

// Validate is called by kong after parsing. The library takes zero for its own
// default; here it would be a surprise.
func (c *serveCmd) Validate() error {
	if err := checkBound(c.Bound, 10*time.Millisecond); err != nil {
		return err
	}
	const maxLife = 400 * 24 * time.Hour // browsers keep no cookie for longer (RFC 6265bis)
	for flag, d := range map[string]time.Duration{"idle": c.Idle, "lifetime": c.Lifetime} {
		if d <= 0 || d > maxLife {
			return fmt.Errorf("--%s takes a time above zero, such as 1h, and 9600h at most", flag)
		}
	}
	if c.TokenLife < time.Second || c.TokenLife > counterfoil.MaxTokenLife {
		return errors.New("--token-life takes 1s to 1h")
	}
	if c.Canary != 0 && c.Canary < time.Second { // each is a session made and ended
		return errors.New("--canary takes a second or more, such as 10s, or 0 for never")
	}
	if c.MaxSessions < 0 {
		return errors.New("--max-sessions takes a number, or 0 for no limit")
	}
	// Browsers take names below localhost for this machine, too.
	if host, plain := overPlainHTTP(c.PublicURL); plain && !strings.HasSuffix(host, ".localhost") && !c.InsecureHTTP {
		return plainHTTPError("public-url")
	}
	return nil
}

// checkBound says in the flag's terms what the library would say in its own.
func checkBound(d, least time.Duration) error {
	if d < least || d > time.Minute {
		return fmt.Errorf("--bound takes %v to 1m", least)
	}
	return nil
}

func (c *serveCmd) Run(ctx context.Context, o *options) (err error) {
	secret, err := o.loadSecret()
	if err != nil {
		return err
	}
	if !term.IsTerminal(int(os.Stderr.Fd())) { // a person reads: nothing is kept
		// Before the stores are opened, which may warn.
		slog.SetDefault(slog.New(slog.NewTextHandler(newChain(os.Stderr, secret.secret), nil)))
	}
	sessions, err := o.openStore(ctx)
	if err != nil {
		return errors.Join(err, secret.forget())
	}
	defer func() { err = errors.Join(err, sessions.Close()) }()
	return o.withNewAccounts(ctx, func(accounts *account.Accounts) error {
		return c.serve(ctx, secret, sessions, accounts)
	})
}

func (c *serveCmd) serve(ctx context.Context, secret secretFile, sessions store.Store, accounts *account.Accounts) (err error) {
	listener, err := listen(c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close() // Serve has closed it already, unless we don't get there
	s, local, err := c.newServer(secret, listener.Addr(), sessions, accounts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	setup, err := s.SetupPath(ctx)
	if err != nil {
		return err
	}
	if setup != "" {
		// Not through the log, which others may read.
		fmt.Fprintf(os.Stderr, "There are no users yet. Make the first one within an hour at %s%s\n", local, setup)
	}
	slog.Info("listening", "url", local)
	return s.Serve(ctx, listener)
}

// newServer makes the server and returns the address to open on this machine.
func (c *serveCmd) newServer(secret secretFile, addr net.Addr, sessions store.Store, accounts *account.Accounts) (*server.Server, string, error) {
	a, err := c.address(addr.(*net.TCPAddr))
	if err != nil {
		return nil, "", err
	}
	s, err := server.New(server.Config{
		Sessions:         c.sessionsConfig(sessions, a, (*[32]byte)(secret.secret)),
		Accounts:         accounts,
		TrustedProxies:   prefixes(c.TrustedProxy),
		AppOrigins:       c.AppOrigin,
		IdentityTokens:   c.IdentityToken,
		AmbiguousPaths:   c.AmbiguousPaths,
		ReceiverNetworks: prefixes(c.ReceiverNetwork),
		Logger:           slog.Default(),
	})
	if err != nil {
		return nil, "", usageError{secret.explain(err)}
	}
	return s, a.open, nil
}

func (c *serveCmd) sessionsConfig(sessions store.Store, a address, secret *[32]byte) counterfoil.Config {
	config := counterfoil.Config{
		Store:        sessions,
		PublicURL:    a.public,
		CookieDomain: c.CookieDomain,
		InsecureHTTP: c.InsecureHTTP,
		Secret:       secret,
		IdleTimeout:  c.Idle,
		Lifetime:     c.Lifetime,
		MaxSessions:  c.MaxSessions,
		TokenLife:    c.TokenLife,
		Bound:        c.Bound,
		Canary:       c.Canary,
		Resources:    c.Resource,
		StatusLists:  c.StatusList,
	}
	if c.MaxSessions == 0 {
		config.MaxSessions = -1 // no limit; there, zero is the default
	}
	config.Origins = a.alsoOurs()
	return config
}
