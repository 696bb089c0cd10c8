package counterfoil

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
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/token"
)

// A Config says how a [Manager] keeps its sessions. The zero Config works: in
// memory, on https or on localhost, with the time-outs of NIST SP 800-63B-4
// AAL2.
type Config struct {
	// Store keeps the sessions. Nil: in memory, until the process ends. The
	// caller closes a store that he opened.
	Store store.Store

	// PublicURL is where browsers find the site, such as
	// "https://app.example.com". It is the origin that posts may come from and
	// the issuer of access tokens, and it decides whether the cookie is called
	// "__Host-counterfoil" (https) or "counterfoil" (http, on loopback only).
	//
	// It has no path: the cookie is for the whole host, whatever path the site is
	// below, so one host has one Manager.
	//
	// Empty: https is assumed for the cookie, which browsers drop on plain http
	// (but for localhost, in most of them), and posts may come from the host that
	// the request names. Behind a proxy, set it.
	PublicURL string

	// InsecureHTTP allows a PublicURL with http and a host that is not
	// loopback. Everybody on the way can then take the sessions over.
	InsecureHTTP bool

	// Origins are further origins that posts may come from, such as
	// "https://www.example.com": scheme, host, and port unless it is the
	// scheme's own. Their posts need the CSRF token like all others.
	Origins []string

	// CookieDomain shares the session with every host of a domain, such as
	// "example.com": one login for app.example.com and wiki.example.com. It takes
	// https. The cookie is then called "__Secure-counterfoil", and every host of
	// the domain, an abandoned one too, can read it, and so take sessions over,
	// and set one of its own in its place. Empty: the session is of one host
	// (ASVS 3.3.3).
	CookieDomain string

	// Secret encrypts the signing keys, so that they can be kept in the store
	// and outlive the process. Nodes on one store share it. Nil: the keys live
	// and die with the process, and so do access tokens; sessions don't.
	Secret *[32]byte

	// IdleTimeout ends a session that is not used. Zero: 1 hour. (ASVS 7.3.1)
	IdleTimeout time.Duration
	// Lifetime ends a session however much it is used. Zero: 24 hours. (7.3.2)
	Lifetime time.Duration
	// RememberIdle and RememberLifetime are the same for a login with
	// Login.Remember. Zero: 7 days and 30 days. (NIST AAL1)
	RememberIdle, RememberLifetime time.Duration
	// AnonymousLifetime ends a session in which nobody has logged in: how long
	// a login form may stay open. Zero: 1 hour.
	AnonymousLifetime time.Duration

	// MaxSessions is how many sessions a user may have; at one more the oldest
	// ends. Zero: 100. Negative: no limit. (7.1.2)
	MaxSessions int

	// TokenLife is how long an access token works unless the session ends
	// before. Zero: 10 minutes. At most MaxTokenLife.
	TokenLife time.Duration
	// TokenAlgorithm signs access tokens. Empty: token.EdDSA.
	TokenAlgorithm token.Algorithm
	// KeyLife is after how long a new signing key takes over. Zero: 90 days.
	KeyLife time.Duration

	// Resources are the other services that access tokens may be asked for: the
	// values of resource (RFC 8707), compared to the letter, and then the aud of
	// the token (RFC 9068). Absolute URIs without a fragment, such as
	// "https://orders.example.com", at most 100. A token for one of them is not
	// accepted here, nor by another of them.
	Resources []string

	// StatusLists gives access tokens a status claim, which names a place in a
	// list of [Manager.StatusList] (draft-ietf-oauth-status-list-20). It takes a
	// PublicURL, below which the lists are found. Nodes on one store share it.
	// Sessions that were begun without it get no such claim.
	StatusLists bool

	// CookiesOnly leaves the Authorization header to the application: no
	// bearer token is accepted.
	CookiesOnly bool

	// MaxFormBytes bounds the body of a form that carries its CSRF token in a
	// field. Zero: 1 MiB. Requests with X-CSRF-Token are not read, nor bounded.
	MaxFormBytes int64

	// Bound is how long after a logout elsewhere a session may still be
	// accepted here: checks are answered from memory, and the view of ended
	// sessions is proved to be no older. Past it, while the store does not
	// answer, everything is refused. Where this process ends a session it is
	// refused at once. Nodes on one store share the bound. Zero: 2 seconds; at
	// most 1 minute. Negative: the store is asked at every check. (The memory
	// store always is: that costs no more.)
	Bound time.Duration

	// MaxRemembered is how many sessions this process remembers at a time, so
	// that their requests ask the store nothing. One takes about 600 bytes.
	// Zero: 131,072.
	MaxRemembered int

	// Canary is how often a session is made and ended to measure how long it
	// takes until this process refuses it: see [Status]. Zero: never.
	Canary time.Duration

	// OnBeat is called with the state of the view of ended sessions each time
	// it was proved, about five times per Bound; it must be quick. For metrics.
	// Nil: nothing.
	OnBeat func(Status)

	// ClientAddress returns the client's address, for the list of sessions.
	// Nil: the address of the connection. Behind a proxy, read the header that
	// your proxy sets, and only that.
	ClientAddress func(*http.Request) string

	// ErrorHandler answers refused requests. Nil: [WriteError]. It may use the
	// session of the request, as handlers do, unless the answer had to be
	// replaced because saving the session failed.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// Logger is told what an operator should see. Nil: slog.Default().
	Logger *slog.Logger

	// OnEvent is called for every login, logout, refusal and the like, in the
	// goroutine where it happens; it must be quick. From its context it may ask
	// for FromContext and nothing else of the session. Nil: Logger is told why
	// requests are refused, at level debug, or info if PublicURL is plain http, as
	// where a site is developed.
	OnEvent func(context.Context, Event)

	// OnStore is called before each call of the store; what it returns is
	// called after, with the outcome. For metrics and traces; what OnEvent may
	// not do, it may not either. Nil: nothing.
	OnStore func(ctx context.Context, method string) (context.Context, func(error))
}

// MaxTokenLife bounds Config.TokenLife.
const MaxTokenLife = time.Hour

const (
	// retainMargin is how much longer than a token's life the log remembers
	// that its session ended: more than clocks of nodes may differ.
	retainMargin = 2 * time.Minute
	refreshGrace = 30 * time.Second

	defaultBound = 2 * time.Second
	minBound     = 10 * time.Millisecond
)

// withDefaults fills in and checks every field, so that nothing else in the
// package asks whether one is set.
func (c Config) withDefaults() (Config, error) {
	c.IdleTimeout = cmp.Or(c.IdleTimeout, time.Hour)
	c.Lifetime = cmp.Or(c.Lifetime, 24*time.Hour)
	c.RememberIdle = cmp.Or(c.RememberIdle, 7*24*time.Hour)
	c.RememberLifetime = cmp.Or(c.RememberLifetime, 30*24*time.Hour)
	c.AnonymousLifetime = cmp.Or(c.AnonymousLifetime, time.Hour)
	c.MaxSessions = cmp.Or(c.MaxSessions, 100)
	c.TokenLife = cmp.Or(c.TokenLife, 10*time.Minute)
	c.TokenAlgorithm = cmp.Or(c.TokenAlgorithm, token.EdDSA)
	c.KeyLife = cmp.Or(c.KeyLife, 90*24*time.Hour)
	c.MaxFormBytes = cmp.Or(c.MaxFormBytes, 1<<20)
	c.Bound = cmp.Or(c.Bound, defaultBound)
	c.MaxRemembered = cmp.Or(c.MaxRemembered, 1<<17)
	c.MaxSessions = max(c.MaxSessions, 0) // for the store zero means no limit
	c.Resources = slices.Clone(c.Resources)
	if c.Secret != nil {
		secret := *c.Secret // the caller may clear his
		c.Secret = &secret
	}
	if c.Store == nil {
		c.Store = memory.New(memory.Config{})
	}
	if c.ClientAddress == nil {
		c.ClientAddress = connectionAddress
	}
	if c.ErrorHandler == nil {
		c.ErrorHandler = WriteError
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	err := c.check()
	if c.OnEvent == nil { // by the one spelling of the public URL
		c.OnEvent = c.logRefusals()
	}
	return c, err
}

// logRefusals is for those who have no OnEvent yet. The visitor is told little of
// why he is refused, and who has just begun looks for the cause in the log.
func (c *Config) logRefusals() func(context.Context, Event) {
	log, level := c.Logger, slog.LevelDebug
	if strings.HasPrefix(c.PublicURL, "http:") {
		level = slog.LevelInfo
	}
	return func(ctx context.Context, e Event) {
		if e.Kind == RequestRefused {
			log.Log(ctx, level, "a request was refused", "error", e.Err, "address", e.Address)
		}
	}
}

func (c *Config) check() error {
	bound := c.Bound
	if bound < 0 { // the store is asked
		bound = defaultBound
	}
	const maxLife = 400 * 24 * time.Hour // browsers keep no cookie for longer (RFC 6265bis)
	for _, d := range []struct {
		name     string
		value    time.Duration
		min, max time.Duration
	}{
		{"IdleTimeout", c.IdleTimeout, time.Millisecond, maxLife},
		{"Lifetime", c.Lifetime, time.Millisecond, maxLife},
		{"RememberIdle", c.RememberIdle, time.Millisecond, maxLife},
		{"RememberLifetime", c.RememberLifetime, time.Millisecond, maxLife},
		{"AnonymousLifetime", c.AnonymousLifetime, time.Millisecond, maxLife},
		{"TokenLife", c.TokenLife, time.Second, MaxTokenLife},
		{"KeyLife", c.KeyLife, time.Hour, 10 * maxLife},
		{"Bound", bound, minBound, time.Minute},
		{"Canary", cmp.Or(c.Canary, time.Hour), 10 * time.Millisecond, time.Hour}, // zero: never
	} {
		if d.value < d.min || d.value > d.max {
			return fmt.Errorf("counterfoil: %s is %v: it takes %v to %v", d.name, d.value, d.min, d.max)
		}
	}
	if c.Secret != nil && *c.Secret == [32]byte{} {
		return fmt.Errorf("counterfoil: Secret is all zeros: fill it from crypto/rand, and keep it")
	}
	if c.MaxFormBytes < 0 {
		return errors.New("counterfoil: MaxFormBytes is negative: leave it zero for 1 MiB")
	}
	if c.MaxRemembered < 0 {
		return errors.New("counterfoil: MaxRemembered is negative: leave it zero for 131,072, or set Bound to -1 to ask the store at every check")
	}
	for _, origin := range c.Origins {
		canonical, err := parseOrigin(origin)
		if err == nil && canonical != origin {
			err = errNoOrigin
		}
		if err != nil {
			return fmt.Errorf("counterfoil: origin %q: %w", origin, err)
		}
	}
	if err := c.checkResources(); err != nil {
		return err
	}
	if err := c.checkPublicURL(); err != nil {
		return err
	}
	if c.StatusLists && c.PublicURL == "" {
		return errors.New("counterfoil: StatusLists: set PublicURL, so that tokens can say where the lists are")
	}
	return c.checkCookieDomain()
}

const (
	maxResources = 100
	maxResource  = 512 // bytes
)

func (c *Config) checkResources() error {
	if len(c.Resources) > maxResources {
		return fmt.Errorf("counterfoil: there are %d Resources: at most %d", len(c.Resources), maxResources)
	}
	for _, resource := range c.Resources {
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || strings.Contains(resource, "#") || len(resource) > maxResource || !utf8.ValidString(resource) {
			return fmt.Errorf("counterfoil: resource %q: write an absolute URI without a fragment, such as https://orders.example.com", resource)
		}
	}
	return nil
}

func (c *Config) checkPublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	origin, err := parseOrigin(c.PublicURL)
	if err != nil {
		return fmt.Errorf("counterfoil: public URL %q: %w", c.PublicURL, err)
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || (u.Path != "" && u.Path != "/") {
		return fmt.Errorf("counterfoil: public URL %q: %w", c.PublicURL, errNoOrigin)
	}
	if u.Scheme == "http" && !isLoopback(strings.ToLower(u.Hostname())) && !c.InsecureHTTP {
		return fmt.Errorf("counterfoil: public URL %q: plain http would show every session to the network: use https (or InsecureHTTP, if you must)", c.PublicURL)
	}
	c.PublicURL = origin // one spelling
	return nil
}

// checkCookieDomain refuses what browsers would not take, or not at once: they
// drop a cookie for a domain that its host does not belong to.
func (c *Config) checkCookieDomain() error {
	domain := c.CookieDomain
	if domain == "" {
		return nil
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("counterfoil: cookie domain %q: write it in lower case, without a dot in front, such as example.com", domain)
		}
	}
	if _, err := netip.ParseAddr(domain); err == nil || len(labels) < 2 {
		return fmt.Errorf("counterfoil: cookie domain %q: browsers take a domain with a dot in it, such as example.com", domain)
	}
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return fmt.Errorf("counterfoil: public URL: %w", err)
	}
	if u.Scheme != "https" {
		return fmt.Errorf("counterfoil: cookie domain %q: it takes a public URL with https", domain)
	}
	if host := u.Hostname(); host != domain && !strings.HasSuffix(host, "."+domain) {
		return fmt.Errorf("counterfoil: cookie domain %q: the public URL's host %s is not in it, so browsers would drop the cookie", domain, host)
	}
	return nil
}

// parseOrigin returns the origin of a URL as a browser writes it in an Origin
// header (RFC 6454 section 6.2): lower case, without the scheme's own port.
func parseOrigin(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errNoOrigin
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errNoOrigin
	}
	host := strings.ToLower(u.Host)
	// What no browser writes would never be equal to what one sends.
	for _, c := range host {
		if c >= utf8.RuneSelf {
			return "", errNotASCII
		}
	}
	if strings.Contains(host, "*") {
		return "", errWildcard
	}
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	return u.Scheme + "://" + strings.TrimSuffix(host, ":"), nil
}

var (
	errNoOrigin = errors.New("write scheme and host only, such as https://app.example.com")
	errNotASCII = errors.New("write the host as browsers send it, such as xn--bcher-kva.example for bücher.example")
	errWildcard = errors.New("list every origin by itself: there are no wildcards")
)

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func connectionAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
