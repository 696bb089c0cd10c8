package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/token"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const issuer = "https://sessions.example.com"

// A world is a store with sessions and a database for outboxes.
type world struct {
	t        testing.TB
	sessions store.Store
	open     func() *database.DB
	keys     *token.Keyring

	mu        sync.Mutex
	receivers []Receiver
}

// onEach runs a test with each kind of database.
func onEach(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "counterfoil.db")
		test(t, newWorld(t, func() (*database.DB, error) { return database.OpenSQLite(path) }))
	})
	t.Run("postgres", func(t *testing.T) {
		where := servers.Postgres(t)
		test(t, newWorld(t, func() (*database.DB, error) { return database.OpenPostgres(where) }))
	})
}

func newWorld(t testing.TB, open func() (*database.DB, error)) *world {
	sessions := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, sessions.Close()) })
	keys, err := token.NewKeyring(token.EdDSA, time.Now())
	check(t, err)
	w := &world{t: t, sessions: sessions, keys: keys}
	w.open = func() *database.DB {
		db, err := open()
		check(t, err)
		t.Cleanup(func() { check(t, db.Close()) })
		return db
	}
	return w
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// outbox opens one more outbox on the database, as another server does.
func (w *world) outbox(edit ...func(*Config)) *Outbox {
	w.t.Helper()
	c := Config{
		Log:       w.sessions,
		Receivers: func(context.Context) ([]Receiver, error) { return w.list(), nil },
		Issuer:    func() string { return issuer },
		Sign:      w.sign,
		Allowed:   loopback,
		Logger:    slog.New(slog.DiscardHandler),
	}
	for _, e := range edit {
		e(&c)
	}
	o, err := Open(w.t.Context(), w.open(), c)
	check(w.t, err)
	return o
}

func (w *world) sign(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return w.keys.SignJWT(typ, payload, time.Now())
}

// run runs an outbox; stop returns when it has ended.
func (w *world) run(o *Outbox) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { o.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) tell(r ...Receiver) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receivers = r
}

func (w *world) list() []Receiver {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.receivers)
}

// end begins n sessions and ends them, and returns their ids.
func (w *world) end(n int) (ids []string) {
	w.t.Helper()
	for range n {
		id := store.NewSID(time.Now())
		_, err := w.sessions.Create(w.t.Context(), store.Creation{Session: store.Session{ID: id, User: "john", Idle: time.Hour}, Lifetime: time.Hour})
		check(w.t, err)
		_, err = w.sessions.End(w.t.Context(), id, time.Hour)
		check(w.t, err)
		ids = append(ids, id.String())
	}
	return ids
}

// An inbox is a receiver: an HTTP server that keeps what it is told.
type inbox struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) // nil: 204
	calls  int
	taken  []string // tokens
	types  []string // content types
}

func newInbox(t testing.TB) *inbox {
	in := &inbox{t: t}
	in.Server = httptest.NewServer(http.HandlerFunc(in.serve))
	t.Cleanup(in.Server.Close)
	return in
}

func (in *inbox) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	in.mu.Lock()
	in.calls++
	answer := in.answer
	in.mu.Unlock()
	if err != nil {
		return
	}
	if answer != nil {
		answer(w, r)
		return
	}
	text := string(body)
	if form, err := url.ParseQuery(text); err == nil && form.Has("logout_token") {
		text = form.Get("logout_token")
	}
	in.mu.Lock()
	in.taken, in.types = append(in.taken, text), append(in.types, r.Header.Get("Content-Type"))
	in.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (in *inbox) does(answer func(http.ResponseWriter, *http.Request)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.answer = answer
}

func (in *inbox) tokens() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.taken)
}

func (in *inbox) called() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.calls
}

// parse checks a token as a receiver does, with a library that is not ours.
func (w *world) parse(signed string) (header map[string]any, claims jwt.MapClaims) {
	w.t.Helper()
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(issuer)).Parse(signed, func(*jwt.Token) (any, error) { return publicKey(w.keys) })
	if err != nil {
		w.t.Fatalf("golang-jwt: %v", err)
	}
	return parsed.Header, parsed.Claims.(jwt.MapClaims)
}

// sessionsOf returns the sessions that tokens are about, without repeats.
func (w *world) sessionsOf(tokens []string) []string {
	w.t.Helper()
	var ids []string
	for _, signed := range tokens {
		_, claims := w.parse(signed)
		if sid, ok := claims["sid"].(string); ok {
			ids = append(ids, sid)
			continue
		}
		subject := claims["sub_id"].(map[string]any)
		ids = append(ids, subject["session"].(map[string]any)["id"].(string))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// eventually waits until a condition holds, for longer than the outbox takes
// to try a few times.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("after 30 s still not: %s", what)
		}
	}
}

func sorted(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return ids
}

func publicKey(k *token.Keyring) (any, error) {
	var set struct{ Keys []struct{ X string } }
	if err := json.Unmarshal(k.JWKS(), &set); err != nil || len(set.Keys) != 1 {
		return nil, errors.Join(err, errors.New("not one key"))
	}
	return ed25519Key(set.Keys[0].X)
}

func has(s, part string) bool { return strings.Contains(s, part) }
