package feed

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

// The vectors in testdata are for those who write a follower in another
// language. Here they are run against our own.

var discard = slog.New(slog.DiscardHandler)

const password = "not the hub's own"

func vectors[T any](t *testing.T, file string) []T {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	check(t, err)
	var v struct {
		About string
		Cases []T
	}
	check(t, json.Unmarshal(data, &v))
	if len(v.Cases) < 5 || v.About == "" {
		t.Fatalf("%s has %d cases", file, len(v.Cases))
	}
	return v.Cases
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A scripted issuer answers as a vector says.
type scripted struct {
	snapshot  []byte
	renew     http.HandlerFunc
	snapshots atomic.Int32
	elsewhere atomic.Int32
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case SnapshotPath:
		s.snapshots.Add(1)
		w.Write(s.snapshot)
	case RenewPath:
		s.renew(w, r)
	default:
		s.elsewhere.Add(1)
	}
}

func followScripted(t *testing.T, s *scripted) (*View, *Follower) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	view := NewView(Config{Bound: 2 * time.Second, Hold: time.Minute})
	return view, NewFollower(view, FromNode(NodeConfig{
		URL:      server.URL,
		ClientID: "c_x", ClientSecret: password,
		Transport: server.Client().Transport,
		OnHold:    view.RememberFor,
	}), discard)
}

var nonceIn = regexp.MustCompile(`"nonce":"([0-9a-f]{32})"`)

func TestVectorsOfRenewals(t *testing.T) {
	type vector struct {
		Why, Body, Outcome string
		Status             int
		Ended              []string
		Cut                string
	}
	snapshot, err := base64.StdEncoding.DecodeString(vectors[struct{ Base64 string }](t, "snapshots.json")[0].Base64)
	check(t, err)
	for _, c := range vectors[vector](t, "renewals.json") {
		t.Run(c.Why, func(t *testing.T) {
			s := &scripted{snapshot: snapshot}
			s.renew = func(w http.ResponseWriter, r *http.Request) {
				question, err := io.ReadAll(r.Body)
				nonce := nonceIn.FindSubmatch(question)
				if _, secret, _ := r.BasicAuth(); err != nil || nonce == nil || secret != password {
					t.Errorf("asked %q, %v", question, err)
					return
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.Status)
				io.WriteString(w, strings.ReplaceAll(c.Body, "$NONCE", string(nonce[1])))
			}
			view, follower := followScripted(t, s)
			check(t, follower.rebuild(t.Context()))
			err := follower.Beat(t.Context())
			proven := view.Status().Proven
			switch c.Outcome {
			case "proven":
				if err != nil || !proven || s.snapshots.Load() != 1 {
					t.Errorf("error %v, proven %t, %d snapshots", err, proven, s.snapshots.Load())
				}
			case "lapsed":
				if err != nil || proven {
					t.Errorf("error %v, proven %t", err, proven)
				}
			case "snapshot":
				if err == nil || proven || s.snapshots.Load() != 2 {
					t.Errorf("error %v, proven %t, %d snapshots", err, proven, s.snapshots.Load())
				}
			case "refused":
				if err == nil || proven || s.snapshots.Load() != 1 {
					t.Errorf("error %v, proven %t, %d snapshots", err, proven, s.snapshots.Load())
				}
			default:
				t.Errorf("outcome %q", c.Outcome)
			}
			for _, sid := range append(c.Ended, "0198c0de-0000-7000-8000-000000000001") {
				if id, err := store.ParseSID(sid); err != nil || !view.Ended(id) {
					t.Errorf("%s is not known to have ended (%v)", sid, err)
				}
			}
			if c.Cut != "" {
				if id, err := store.ParseSID(c.Cut); err != nil || !view.Cut().Equal(id.Time()) {
					t.Errorf("the cut is at %v", view.Cut())
				}
			}
			if s.elsewhere.Load() != 0 {
				t.Error("a redirect was followed")
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestVectorsOfStreams(t *testing.T) {
	type told struct {
		Hint  string
		After uint64
		Pos   []uint64
	}
	type vector struct {
		Why, Stream, Outcome string
		Repeat               int
		Hints                []told
	}
	for _, c := range vectors[vector](t, "streams.json") {
		var got []told
		err := readEvents(strings.NewReader(strings.Repeat(c.Stream, max(c.Repeat, 1))), func(h store.Hint, after store.Cursor, entries []store.Entry) {
			if h == store.BeatNow {
				got = append(got, told{Hint: "beat"})
				return
			}
			next := told{Hint: "entries", After: after.Pos}
			for _, e := range entries {
				next.Pos = append(next.Pos, e.Pos)
			}
			got = append(got, next)
		})
		if !slices.EqualFunc(got, c.Hints, func(a, b told) bool { return a.Hint == b.Hint && a.After == b.After && slices.Equal(a.Pos, b.Pos) }) {
			t.Errorf("%s: hints %v, want %v", c.Why, got, c.Hints)
		}
		if refused := errors.Is(err, errMalformed); err == nil || refused != (c.Outcome == "refused") {
			t.Errorf("%s: %v", c.Why, err)
		}
	}
}

func TestVectorsOfSnapshots(t *testing.T) {
	type vector struct {
		Why, Base64, Outcome string
		Pos                  uint64
		ID                   hexID
		Now                  int64
		Hold                 int64 `json:"hold_ms"`
		Entries              []struct {
			Kind store.Kind
			SID  string
			Exp  int64
		}
	}
	for _, c := range vectors[vector](t, "snapshots.json") {
		data, err := base64.StdEncoding.DecodeString(c.Base64)
		check(t, err)
		// However the network cuts it.
		for _, r := range []io.Reader{bytes.NewReader(data), &slowly{data}} {
			news, hold, err := readSnapshot(r, 1000)
			if (err == nil) != (c.Outcome == "read") {
				t.Errorf("%s: %v", c.Why, err)
			}
			if err != nil {
				continue
			}
			if news.Head.Pos != c.Pos || news.Head.ID != c.ID || news.Now.UnixMilli() != c.Now || hold.Milliseconds() != c.Hold || len(news.Entries) != len(c.Entries) {
				t.Fatalf("%s: read %+v, hold %v", c.Why, news, hold)
			}
			for i, e := range news.Entries {
				if want := c.Entries[i]; e.Kind != want.Kind || e.Session.String() != want.SID || e.Expires.UnixMilli() != want.Exp {
					t.Errorf("%s: entry %d is %+v", c.Why, i, e)
				}
			}
			if !bytes.Equal(appendSnapshot(nil, news, hold), data) {
				t.Errorf("%s: written again it is another one", c.Why)
			}
		}
	}
}

// slowly gives one byte at a time.
type slowly struct{ rest []byte }

func (s *slowly) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:1], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func TestVectorsOfQuestions(t *testing.T) {
	type vector struct {
		Why, Body   string
		Status      int
		Entries     int
		ContentType *string `json:"content_type"`
	}
	n := newTestNode(t)
	check(t, n.follower.Beat(t.Context()))
	n.end(2)
	check(t, n.follower.Beat(t.Context()))
	entries, _, _, known := n.view.since(store.Cursor{}, 10)
	if !known || len(entries) != 2 {
		t.Fatalf("the node knows of %v", entries)
	}
	first, err := hexID(entries[0].ID).MarshalText()
	check(t, err)
	for _, c := range vectors[vector](t, "questions.json") {
		contentType := "application/json"
		if c.ContentType != nil {
			contentType = *c.ContentType
		}
		body := strings.ReplaceAll(c.Body, "$ID1", string(first))
		status, answer := n.post(contentType, body)
		if status != c.Status {
			t.Errorf("%s: status %d, want %d: %s", c.Why, status, c.Status, answer)
		}
		if status != http.StatusOK {
			continue
		}
		p, err := parseProof(answer, hexID{15: 2})
		check(t, err)
		if len(p.Entries) != c.Entries || p.Head.Pos != 2 || p.bound != testBound || p.hold != testHold {
			t.Errorf("%s: answer %s", c.Why, answer)
		}
	}
}

const (
	testBound = 2 * time.Second
	testHold  = 12 * time.Minute
)

// A testNode is a node on a store in memory, with a hub on a real listener.
type testNode struct {
	t        testing.TB
	store    store.Store
	view     *View
	follower *Follower
	hub      *Hub
	server   *httptest.Server
	allowed  atomic.Bool
}

func newTestNode(t testing.TB) *testNode {
	n := &testNode{t: t, store: memory.New(memory.Config{}), view: NewView(Config{Bound: testBound, Hold: testHold})}
	n.follower = NewFollower(n.view, FromStore(n.store), discard)
	n.hub = NewHub(n.view, n.follower)
	n.allowed.Store(true)
	n.server = httptest.NewServer(n.hub.Handler(func(*http.Request) bool { return n.allowed.Load() }))
	t.Cleanup(func() {
		n.server.CloseClientConnections()
		n.server.Close()
		check(t, n.store.Close())
	})
	return n
}

// run runs the node's loops until the test ends.
func (n *testNode) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { n.follower.Run(ctx); done <- struct{}{} }()
	go func() { n.hub.Run(ctx); done <- struct{}{} }()
	n.t.Cleanup(func() { cancel(); <-done; <-done })
}

// end ends so many sessions.
func (n *testNode) end(count int) (ended []store.SID) {
	n.t.Helper()
	for range count {
		id := store.NewSID(time.Now())
		s, err := n.store.Create(n.t.Context(), store.Creation{Session: store.Session{ID: id, Idle: time.Hour}, Lifetime: time.Hour})
		check(n.t, err)
		_, err = n.store.End(n.t.Context(), s.ID, testHold)
		check(n.t, err)
		ended = append(ended, id)
	}
	return ended
}

func (n *testNode) post(contentType, body string) (status int, answer []byte) {
	n.t.Helper()
	res, err := n.server.Client().Post(n.server.URL+RenewPath, contentType, strings.NewReader(body))
	check(n.t, err)
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	check(n.t, err)
	if res.Header.Get("Cache-Control") != "no-store" {
		n.t.Errorf("Cache-Control %q", res.Header.Get("Cache-Control"))
	}
	if (res.StatusCode == 503) != (res.Header.Get("Retry-After") != "") {
		n.t.Errorf("%s: Retry-After %q", res.Status, res.Header.Get("Retry-After"))
	}
	return res.StatusCode, answer
}
