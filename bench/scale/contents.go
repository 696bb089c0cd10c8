package scale

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/bench/internal/web"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

const noteSize = 200

var (
	noteKey = counterfoil.NewKey[string]("note")

	// secret is the secret in every cookie of ours; the stores keep its digest.
	secret = [32]byte{1}
)

// user is the id of the i-th user.
func user(i int) string { return fmt.Sprintf("u_%016x", i) }

// userSize is the length of every user's id.
const userSize = len("u_") + 16

// A content says what the sessions hold.
type content struct {
	idle   time.Duration // they expire so long after they were made
	values []byte        // as a login of ours has put them into a store; nil: none
	client bool          // as well the user agent and the address, which our logins keep
}

// creation is what a login of the i-th user makes.
func (c content) creation(i int) store.Creation {
	session := store.Session{
		ID:     store.NewSID(time.Now()),
		Secret: sha256.Sum256(secret[:]),
		User:   user(i),
		Idle:   c.idle,
	}
	if c.client {
		session.Address = fmt.Sprintf("192.0.%d.%d", i>>8&0xff, i&0xff)
		session.UserAgent = fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0", i%500, i%500)
	}
	return store.Creation{Session: session, Lifetime: 24 * time.Hour, Values: c.values, Retain: time.Minute}
}

// note returns the values of a session of ours that holds a note: a login and a
// Set, on a store of their own.
func note(tb testing.TB) []byte {
	s := memory.New(memory.Config{})
	defer s.Close()
	m := manager(tb, s)
	defer m.Close()
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := m.Login(r.Context(), counterfoil.Login{User: user(0), InsecureAllowGET: true}); err != nil {
			tb.Error(err)
		}
		if err := noteKey.Set(r.Context(), strings.Repeat("a", noteSize)); err != nil {
			tb.Error(err)
		}
	}))
	form := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { counterfoil.CSRFToken(r.Context()) }))
	w := httptest.NewRecorder()
	form.ServeHTTP(w, web.Request(http.MethodGet, "/", nil))
	cookies := map[string]string{}
	for _, c := range w.Result().Cookies() {
		cookies[c.Name] = c.Value
	}
	h.ServeHTTP(httptest.NewRecorder(), web.Request(http.MethodGet, "/", cookies))
	sessions, err := s.List(tb.Context(), store.Query{User: user(0)})
	if err != nil || len(sessions) != 1 {
		tb.Fatalf("after a login there are %d sessions, error %v", len(sessions), err)
	}
	values, _, err := s.Values(tb.Context(), sessions[0].ID)
	if err != nil || len(values) < noteSize {
		tb.Fatalf("its values take %d bytes, error %v", len(values), err)
	}
	return values
}

// manager opens ours. Whoever calls it closes it.
func manager(tb testing.TB, s store.Store) *counterfoil.Manager {
	tb.Helper()
	m, err := counterfoil.New(counterfoil.Config{Store: s, PublicURL: web.Origin, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// identity is a handler of ours that says who asks.
func identity(m *counterfoil.Manager) http.Handler {
	return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who := counterfoil.FromContext(r.Context()); who.Active() {
			io.WriteString(w, who.User())
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
}

func cookie(id store.SID) string {
	return counterfoil.SecureCookieName + "=" + base64.RawURLEncoding.EncodeToString(append(id[:], secret[:]...))
}

// As scs's documents ask of whoever stores more than basic types.
func init() { gob.Register(time.Time{}) }

// An scsStore is scs on its memory store.
type scsStore struct {
	manager *scs.SessionManager
	store   scs.Store
}

func newSCS(s scs.Store) scsStore {
	m := scs.New()
	m.Store = s
	m.Cookie.Secure = true
	return scsStore{m, s}
}

// token is the i-th session's, as long as scs makes them.
func token(i int) string {
	digest := sha256.Sum256([]byte(user(i)))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// adder returns what adds the i-th user's session, as scs encodes it. The bytes
// of different users differ in the user's id only, so they are encoded once.
func (s scsStore) adder(deadline time.Time, withNote bool) (func(i int) error, error) {
	values := map[string]any{"user": user(0), "login": time.Now()}
	if withNote {
		values["note"] = strings.Repeat("a", noteSize)
	}
	encoded, err := s.manager.Codec.Encode(deadline, values)
	if err != nil {
		return nil, err
	}
	at := bytes.Index(encoded, []byte(user(0)))
	return func(i int) error {
		b := bytes.Clone(encoded)
		copy(b[at:], user(i))
		return s.store.Commit(token(i), b, deadline)
	}, nil
}

// identity is a handler of scs that says who asks.
func (s scsStore) identity() http.Handler {
	return s.manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who := s.manager.GetString(r.Context(), "user"); who != "" {
			io.WriteString(w, who)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
}
