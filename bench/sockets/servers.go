package sockets

import (
	"context"
	"crypto/ed25519"
	"encoding/gob"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/verify"
)

// An opener makes the handler of a server that browsers find at url, and a
// header line with a credential for it.
type opener func(url string) (http.Handler, string, error)

// servers are what is measured. All answer the same request with the user's id,
// and 401 where there is no user; the bare handlers look at nothing, and answer
// always.
var servers = []struct {
	name string
	kind report.Kind
	open opener
}{
	{bareCookieName, report.Limit, bare(openCookie)},
	{"bare handler, sent a cookie, with no-store", report.Limit, noStore(bare(openCookie))},
	{bareTokenName, report.Limit, bare(openToken)},
	{"counterfoil, cookie", report.Ours, openCookie},
	{"counterfoil, JWT", report.Ours, openToken},
	{"counterfoil/verify, JWT", report.Ours, openVerifier},
	{"scs, memstore", report.Peer, openSCS},
	{"golang-jwt, EdDSA", report.Peer, openJWT},
}

const (
	bareCookieName = "bare handler, sent a cookie"
	bareTokenName  = "bare handler, sent a JWT"

	userID     = "user-0123456789"
	loginTime  = "loginTime"
	profile    = "profile"
	userKey    = "user"
	tokenLife  = time.Hour
	cookieLine = "Cookie: "
	bearerLine = "Authorization: Bearer "
)

// contents is what a session holds besides the user's id and the login time.
var contents = strings.Repeat("0123456789", 20)

// greet is the handler behind all of them.
func greet(w http.ResponseWriter, user string) {
	if user == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, user)
}

// bare makes the handler that looks at nothing. It is sent what another server
// is: net/http reads that in either case, and a token is 700 bytes. And it has the
// same in memory: what the garbage collector costs depends on that.
func bare(open opener) opener {
	return func(url string) (http.Handler, string, error) {
		beside, header, err := open(url)
		return bareHandler{beside}, header, err
	}
}

type bareHandler struct{ beside http.Handler }

func (bareHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { greet(w, userID) }

// noStore has the answer say what every answer for one user has to say, whoever
// writes it there.
func noStore(open opener) opener {
	return func(url string) (http.Handler, string, error) {
		next, header, err := open(url)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			next.ServeHTTP(w, r)
		}), header, err
	}
}

// newManager is the library with the settings that everybody has.
func newManager(url string) (*counterfoil.Manager, error) {
	return counterfoil.New(counterfoil.Config{
		PublicURL:   url,
		TokenLife:   tokenLife,
		MaxSessions: -1, // all of them are one user's
		Logger:      slog.New(slog.DiscardHandler),
	})
}

func greetSession(w http.ResponseWriter, r *http.Request) {
	greet(w, counterfoil.FromContext(r.Context()).User())
}

func openCookie(url string) (http.Handler, string, error) {
	m, err := newManager(url)
	if err != nil {
		return nil, "", err
	}
	cookie, err := logIn(m, url, 1+others)
	return m.Handler(http.HandlerFunc(greetSession)), cookieLine + cookie, err
}

// others are how many other sessions there are where sessions are kept: as many
// as where requests are measured without sockets, and for the same reason.
const others = 10_000

// logIn begins sessions, and returns the cookie of one.
func logIn(m *counterfoil.Manager, url string, sessions int) (cookie string, err error) {
	loggedIn := counterfoil.NewKey[time.Time](loginTime)
	value := counterfoil.NewKey[string](profile)
	// A login needs a session, which the first value begins; its values move over.
	first := func(ctx context.Context) error {
		return errors.Join(loggedIn.Set(ctx, time.Now()), value.Set(ctx, contents))
	}
	second := func(ctx context.Context) error {
		return m.Login(ctx, counterfoil.Login{User: userID, InsecureAllowGET: true})
	}
	for range sessions {
		cookie = ""
		for _, step := range []func(context.Context) error{first, second} {
			r, answer := httptest.NewRequest(http.MethodGet, url, nil), httptest.NewRecorder()
			r.Header.Set("Cookie", cookie)
			m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { err = step(r.Context()) })).ServeHTTP(answer, r)
			if err != nil {
				return "", err
			}
			cookie, _, _ = strings.Cut(answer.Header().Get("Set-Cookie"), ";")
		}
	}
	return cookie, nil
}

func openToken(url string) (http.Handler, string, error) {
	m, err := newManager(url)
	if err != nil {
		return nil, "", err
	}
	if _, err := logIn(m, url, others); err != nil {
		return nil, "", err
	}
	grant, err := m.LoginClient(context.Background(), counterfoil.Login{User: userID}, counterfoil.Client{})
	return m.Handler(http.HandlerFunc(greetSession)), bearerLine + grant.Token, err
}

// openVerifier makes a service that follows an issuer, which has a listener of
// its own in the same process: its part of the processor time is five short
// requests a bound.
func openVerifier(string) (http.Handler, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	issuer := "http://" + listener.Addr().String()
	m, err := newManager(issuer)
	if err != nil {
		return nil, "", err
	}
	const id, secret = "c_bench", "bench"
	routes := http.NewServeMux()
	feed := m.Feed(func(r *http.Request) bool {
		name, password, _ := r.BasicAuth()
		return name == id && password == secret
	})
	routes.Handle("/v1/feed", feed)
	routes.Handle("/v1/feed/", feed)
	routes.Handle("/.well-known/jwks.json", m.JWKS())
	go http.Serve(listener, routes)
	if _, err := logIn(m, issuer, others); err != nil {
		return nil, "", err
	}
	grant, err := m.LoginClient(context.Background(), counterfoil.Login{User: userID}, counterfoil.Client{})
	if err != nil {
		return nil, "", err
	}
	v, err := verify.New(context.Background(), verify.Config{Issuer: issuer, ClientID: id, ClientSecret: secret, Policy: verify.Strict})
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	handler := v.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := verify.FromContext(r.Context())
		greet(w, claims.Subject)
	}))
	return handler, bearerLine + grant.Token, v.Ready(ctx)
}

// openSCS follows https://github.com/alexedwards/scs: LoadAndSave around the
// handler, the memory store.
func openSCS(string) (http.Handler, string, error) {
	gob.Register(time.Time{})
	m := scs.New()
	token := ""
	for range 1 + others {
		ctx, err := m.Load(context.Background(), "")
		if err != nil {
			return nil, "", err
		}
		m.Put(ctx, userKey, userID)
		m.Put(ctx, loginTime, time.Now())
		m.Put(ctx, profile, contents)
		if token, _, err = m.Commit(ctx); err != nil {
			return nil, "", err
		}
	}
	handler := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		greet(w, m.GetString(r.Context(), userKey))
	}))
	return handler, cookieLine + m.Cookie.Name + "=" + token, nil
}

// openJWT follows https://golang-jwt.github.io/jwt/usage/parse/: one parser with
// every check on, one algorithm, the registered claims. It has no logout.
func openJWT(url string) (http.Handler, string, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Issuer:    url,
		Subject:   userID,
		Audience:  jwt.ClaimStrings{url},
		ID:        "0123456789abcdef",
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(tokenLife)),
	}).SignedString(private)
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(url),
		jwt.WithAudience(url),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithStrictDecoding(),
	)
	key := func(*jwt.Token) (any, error) { return public, nil }
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		presented, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var claims jwt.RegisteredClaims
		if _, err := parser.ParseWithClaims(presented, &claims, key); err != nil {
			greet(w, "")
			return
		}
		greet(w, claims.Subject)
	})
	return handler, bearerLine + signed, err
}
