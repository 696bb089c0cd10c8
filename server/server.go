// Package server is Counterfoil as a program: login and account pages, a JSON
// API, and users with passwords, on top of package counterfoil.
//
// For most uses, open the accounts, call [New], and [Server.Serve]:
//
//	accounts, err := account.Open(ctx, "counterfoil.db", account.Config{})
//	…
//	s, err := server.New(server.Config{
//		Sessions: counterfoil.Config{PublicURL: "http://localhost:8080"},
//		Accounts: accounts,
//	})
//	…
//	err = s.Serve(ctx, listener)
//
// The file routes.go shows every URL. Who may call a route is decided there, by
// the group that it stands in, never by its handler.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/forwardauth"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/server/outbox"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

// A Config says what a [Server] serves.
type Config struct {
	// Sessions says how sessions are kept; the zero value works. Its
	// ClientAddress, ErrorHandler, OnEvent, Logger and MaxFormBytes are set by
	// the server.
	Sessions counterfoil.Config

	// Accounts are the users. Required. The caller closes them, after the
	// server.
	Accounts *account.Accounts

	// TrustedProxies are the addresses whose X-Forwarded-For, and whose word about
	// the requests that they ask about, is believed. Empty: nobody's.
	TrustedProxies []netip.Prefix

	// AppOrigins are the sites behind the front door, such as
	// "https://app.example.com", that a login may lead back to. Sessions.PublicURL
	// is one of them anyway.
	AppOrigins []string

	// IdentityTokens gives those sites a signed word about who asks: see
	// forwardauth.Config.IdentityToken.
	IdentityTokens bool

	// AmbiguousPaths lets requests to them through whose path can be read in more
	// than one way: see forwardauth.Config.AmbiguousPaths.
	AmbiguousPaths bool

	// ReceiverNetworks are networks in which clients may be told of ended
	// sessions although they are private, or this machine. Empty: none.
	ReceiverNetworks []netip.Prefix

	// Logger is told what an operator should see: failures, and every
	// authentication event. Nil: slog.Default().
	Logger *slog.Logger
}

// A Server answers the requests. Make it with [New]; its methods are safe for
// concurrent use.
type Server struct {
	sessions *counterfoil.Manager
	accounts *account.Accounts
	log      *slog.Logger
	proxies  []netip.Prefix
	origin   *http.CrossOriginProtection
	secure   bool // browsers reach us on https
	handler  http.Handler
	setup    setupCode
	programs *client.Registry
	feed     http.Handler         // for verifiers
	front    *forwardauth.Handler // for reverse proxies; nil: we don't know our own URL
	store    store.Store
	outbox   *outbox.Outbox

	wellKnown  http.HandlerFunc // what programs find out about us
	appOrigins []string         // that a login may lead back to

	draining   context.Context // ends when no more connections are taken
	endStreams context.CancelFunc

	// passwords is held for reading while a user changes his password, and for
	// writing while forgotten cut-offs are settled: that would end the session
	// which the user keeps.
	passwords sync.RWMutex

	stop context.CancelFunc // ends the background work
	work sync.WaitGroup
}

// New makes a server. It ends the sessions of users who were disabled or the
// like while no server ran, and goes on looking for such users until
// [Server.Close].
func New(c Config) (*Server, error) {
	if c.Accounts == nil {
		return nil, errors.New("server: Config.Accounts is missing: open them with account.Open")
	}
	s := &Server{
		accounts: c.Accounts,
		log:      cmp.Or(c.Logger, slog.Default()),
		proxies:  c.TrustedProxies,
		origin:   http.NewCrossOriginProtection(),
		secure:   !strings.HasPrefix(strings.ToLower(c.Sessions.PublicURL), "http://"),
	}
	s.draining, s.endStreams = context.WithCancel(context.Background())
	if c.Sessions.Store == nil {
		c.Sessions.Store = memory.New(memory.Config{}) // we need it, too
	}
	s.store = c.Sessions.Store
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if err := errors.Join(s.openOutbox(ctx, c), s.openClients(ctx)); err != nil {
		stop()
		return nil, fmt.Errorf("server: %w", err)
	}
	if err := s.openSessions(c); err != nil { // from here on sessions may end, and wake the outbox
		stop()
		return nil, err
	}
	s.handler = s.routes()
	if err := s.settleCutoffs(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("server: end the sessions of changed users: %w", err), s.Close())
	}
	s.work.Go(func() { s.watchCutoffs(ctx) })
	s.work.Go(func() { s.outbox.Run(ctx) })
	return s, nil
}

func (s *Server) openSessions(config Config) (err error) {
	c := config.Sessions
	c.ClientAddress = func(r *http.Request) string { return s.clientAddress(r).String() }
	c.ErrorHandler = s.refuse
	audit := Audit(s.log)
	c.OnEvent = func(ctx context.Context, e counterfoil.Event) {
		audit(ctx, e)
		s.wakeOutbox(e.Kind)
	}
	c.Logger = s.log
	c.MaxFormBytes = maxBody
	if s.sessions, err = counterfoil.New(c); err != nil {
		return err
	}
	ours := c.Origins
	if c.PublicURL != "" {
		ours = append(slices.Clone(ours), s.sessions.Issuer()) // the public URL as browsers write it
	}
	for _, origin := range ours {
		if err := s.origin.AddTrustedOrigin(origin); err != nil {
			return errors.Join(fmt.Errorf("server: origin %q: %w", origin, err), s.sessions.Close())
		}
	}
	if err := s.openFront(config); err != nil {
		return errors.Join(err, s.sessions.Close())
	}
	s.feed = s.sessions.Feed(s.mayVerify)
	s.wellKnown = s.newWellKnown(c.PublicURL, c.Resources)
	return nil
}

// Handler answers every request. Serve it behind timeouts of your own, or call
// [Server.Serve].
func (s *Server) Handler() http.Handler { return s.handler }

// Close ends the background work. Requests must not be served after it.
func (s *Server) Close() error {
	s.endStreams()
	s.stop()
	s.work.Wait()
	return s.sessions.Close()
}

const (
	maxHeader    = 32 << 10 // bytes of a request's headers
	drainTimeout = 10 * time.Second
)

// Serve answers on the listener until ctx ends. Then it takes no more
// connections, lets the requests under way finish, for 10 seconds at most, and
// returns nil.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	h := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // a login may wait for its turn at hashing
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),

		// So that OPTIONS * gets the security headers, too.
		DisableGeneralOptionsHandler: true,
	}
	h.RegisterOnShutdown(s.endStreams)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	drained := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(drained)
		s.drain(h)
	})
	err := h.Serve(listener)
	cancel()
	<-drained
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("server: %w", err)
}

func (s *Server) drain(h *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		s.log.Warn("some requests did not finish in time and were cut off", "error", err)
		h.Close() // its error repeats the one above
	}
}
