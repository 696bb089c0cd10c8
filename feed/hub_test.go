package feed

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/internal/pipenet"
	"github.com/counterfoil/counterfoil/store"
)

// What a hub tells the store is what all who follow it have applied.
func TestAcknowledgedIsWhatAllFollowersHave(t *testing.T) {
	const longest = 2 * time.Second
	a, b, c := store.NodeID{1}, store.NodeID{2}, store.NodeID{3}
	type noted struct {
		id      store.NodeID
		history uint64
		pos     uint64
		at      instant
	}
	for _, test := range []struct {
		why   string
		noted []noted
		at    instant
		want  uint64
	}{
		{"nobody follows: it is what the node has", nil, 0, 100},
		{"the one that is furthest behind counts", []noted{{a, 7, 90, 0}, {b, 7, 80, 0}, {c, 7, 100, 0}}, 1, 80},
		{"a follower that is ahead of what is asked counts for that", []noted{{a, 7, 200, 0}}, 1, 100},
		{"a follower counts for as long as a lease can last", []noted{{a, 7, 50, 0}}, longest - 1, 50},
		{"and no longer", []noted{{a, 7, 50, 0}}, longest, 100},
		{"the latest that it told counts", []noted{{a, 7, 50, 0}, {a, 7, 90, 1}}, 2, 90},
		{"also where that is less: it may have begun anew", []noted{{a, 7, 90, 0}, {a, 7, 50, 1}}, 2, 50},
		{"a position in another history counts for nothing", []noted{{a, 6, 90, 0}, {b, 7, 90, 0}}, 1, 0},
		{"until its lease has ended", []noted{{a, 6, 90, 0}, {b, 7, 90, 1}}, longest, 90},
	} {
		f := followers{byID: map[store.NodeID]following{}}
		for _, n := range test.noted {
			if ok, _ := f.note(n.id, n.at, following{n.history, n.pos, n.at + longest}); !ok {
				t.Fatal("not noted")
			}
		}
		if got := f.acked(test.at, 7, 100); got != test.want {
			t.Errorf("%s: %d, want %d", test.why, got, test.want)
		}
	}
}

// Who waits is told by the renewal with which the last of the followers is as
// far as he waits for.
func TestTheLastFollowerToRenewIsNoticed(t *testing.T) {
	f := followers{byID: map[store.NodeID]following{}}
	note := func(id byte, pos uint64) bool {
		_, reached := f.note(store.NodeID{id}, 0, following{1, pos, time.Second})
		return reached
	}
	if f.want(10) {
		t.Error("there is nobody to ask")
	}
	if note(1, 9) || note(2, 9) || note(3, 12) {
		t.Error("nobody waits")
	}
	if !f.want(10) {
		t.Error("there is somebody to ask")
	}
	if note(1, 10) {
		t.Error("one is not there yet")
	}
	if note(3, 13) {
		t.Error("it was there before, and another is not")
	}
	if !note(2, 11) {
		t.Error("all are there")
	}
	if got := f.acked(0, 1, 11); got != 10 {
		t.Errorf("acknowledged %d", got)
	}
	if note(1, 11) {
		t.Error("nobody waits any more")
	}
}

func TestThereIsALimitToFollowers(t *testing.T) {
	f := followers{byID: map[store.NodeID]following{}}
	for n := range maxFollowers {
		if ok, _ := f.note(store.NodeID{byte(n), byte(n >> 8), 1}, 0, following{1, 1, time.Second}); !ok {
			t.Fatalf("the follower %d is too many", n)
		}
	}
	if ok, _ := f.note(store.NodeID{15: 1}, 0, following{1, 1, time.Second}); ok {
		t.Error("one more is noted")
	}
	if ok, _ := f.note(store.NodeID{0, 0, 1}, 0, following{1, 2, time.Second}); !ok {
		t.Error("one that is noted can't renew")
	}
	f.acked(time.Second, 1, 1)
	if ok, _ := f.note(store.NodeID{15: 1}, 0, following{1, 1, time.Second}); !ok {
		t.Error("those that are gone are not forgotten")
	}
}

// renewal asks the node directly, as a follower does.
func (n *testNode) renewal(id byte, after store.Cursor) (status int, p proof) {
	n.t.Helper()
	follower, err := hexID{id}.MarshalText()
	check(n.t, err)
	place, err := hexID(after.ID).MarshalText()
	check(n.t, err)
	status, answer := n.post("application/json", fmt.Sprintf(`{"follower":%q,"nonce":"%032x","after":{"pos":%d,"id":%q},"limit":100}`,
		follower, 9, after.Pos, place))
	if status == http.StatusOK {
		p, err = parseProof(answer, hexID{15: 9})
		check(n.t, err)
	}
	return status, p
}

func TestRenew(t *testing.T) {
	n := newTestNode(t)
	if status, _ := n.renewal(1, store.Cursor{}); status != 503 {
		t.Errorf("a node without a lease answers %d", status)
	}
	check(t, n.follower.Beat(t.Context()))
	status, p := n.renewal(1, store.Cursor{})
	if status != 200 || p.Head != (store.Cursor{}) || p.age < 0 || p.age > testBound {
		t.Errorf("an empty log: %d, %+v", status, p)
	}

	// The age grows with time: it is that of the node's own proof.
	time.Sleep(20 * time.Millisecond)
	if _, later := n.renewal(1, store.Cursor{}); later.age < p.age+20*time.Millisecond {
		t.Errorf("the age was %v, and 20 ms later %v", p.age, later.age)
	}

	// The node has not seen it, so nobody hears of it; and it says so to the
	// store: the follower is where it was.
	n.end(3)
	check(t, n.follower.Beat(t.Context()))
	_, p = n.renewal(1, store.Cursor{})
	if len(p.Entries) != 3 || p.Head != p.Entries[2].Cursor {
		t.Fatalf("entries %v, head %v", p.Entries, p.Head)
	}
	if got := n.hub.acked(3); got != 0 {
		t.Errorf("acknowledged %d before the follower has said that it has them", got)
	}
	n.renewal(1, p.Entries[1].Cursor)
	if got := n.hub.acked(3); got != 2 {
		t.Errorf("acknowledged %d, the follower has 2", got)
	}

	// A node that sleeps wakes up without a lease, and hands none out.
	n.view.Drop()
	if status, _ := n.renewal(1, p.Head); status != 503 {
		t.Errorf("without a lease it answers %d", status)
	}

	// After the view was built anew nobody has anything.
	check(t, n.follower.rebuild(t.Context()))
	check(t, n.follower.Beat(t.Context()))
	if got := n.hub.acked(3); got != 0 {
		t.Errorf("acknowledged %d, from another history", got)
	}
	if status, _ := n.renewal(1, p.Entries[0].Cursor); status != 409 {
		t.Errorf("a place before the snapshot: %d", status)
	}
	if status, _ := n.renewal(1, p.Head); status != 200 {
		t.Errorf("the snapshot's own place: %d", status)
	}
	if got := n.hub.acked(3); got != 3 {
		t.Errorf("acknowledged %d", got)
	}
}

// Several nodes may stand behind one address: one that is behind the follower
// looks again before it says that it does not know the place.
func TestANodeThatIsBehindLooksAgain(t *testing.T) {
	n := newTestNode(t)
	n.run()
	check(t, n.follower.Beat(t.Context()))
	n.renewal(1, store.Cursor{})
	n.end(1)
	news, err := n.store.Snapshot(t.Context())
	check(t, err)
	if status, _ := n.renewal(1, news.Head); status != 200 {
		t.Errorf("a place that the node has not come to yet: %d", status)
	}
	if status, _ := n.renewal(1, store.Cursor{Pos: 9}); status != 409 {
		t.Errorf("a place that is not in the log: %d", status)
	}
}

// Everything that is on a stream is in one answer of it.
func (n *testNode) listen(ctx context.Context) *bufio.Scanner {
	n.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.server.URL+StreamPath, nil)
	check(n.t, err)
	res, err := n.server.Client().Do(r)
	check(n.t, err)
	n.t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		n.t.Fatalf("%s, %v", res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxEvent)
	return lines
}

func TestStreamTellsEntriesAndNudges(t *testing.T) {
	n := newTestNode(t)
	check(t, n.follower.Beat(t.Context()))
	n.run()
	a, b := n.listen(t.Context()), n.listen(t.Context())
	n.renewal(1, store.Cursor{})
	id := n.end(1)[0]
	for _, lines := range []*bufio.Scanner{a, b} {
		for lines.Scan() && lines.Text() != "event: entries" {
		}
		if !lines.Scan() || !strings.Contains(lines.Text(), id.String()) {
			t.Fatalf("the event is %q", lines.Text())
		}
	}
	check(t, n.store.Nudge(t.Context()))
	for _, lines := range []*bufio.Scanner{a, b} {
		for lines.Scan() && lines.Text() != "event: beat" {
		}
		if lines.Err() != nil {
			t.Fatal(lines.Err())
		}
	}
	// Of very many at once a stream is told that there are some.
	n.end(maxPushed + 500)
	for a.Scan() {
		if len(a.Text()) > maxPushed*200 {
			t.Errorf("an event of %d bytes", len(a.Text()))
		}
		if _, cursor, _ := n.view.place(); cursor.Pos == maxPushed+501 {
			break
		}
	}
}

func TestEventsHaveALimit(t *testing.T) {
	if got := string(newsEvent(store.Cursor{}, make([]store.Entry, maxPushed+1), true)); got != string(beatEvent) {
		t.Errorf("more entries than an event takes: %q", got)
	}
	if got := string(newsEvent(store.Cursor{}, nil, false)); got != string(beatEvent) {
		t.Errorf("a place that was lost: %q", got)
	}
	if got := newsEvent(store.Cursor{}, nil, true); got != nil {
		t.Errorf("nothing new: %q", got)
	}
}

// inPipes runs a test on a hub in a bubble, on a network of pipes.
func inPipes(t *testing.T, test func(t *testing.T, n *testNode, network *pipenet.Network, stop context.CancelFunc)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		view := NewView(Config{Bound: testBound, Hold: testHold})
		n := &testNode{t: t, view: view, follower: NewFollower(view, nil, discard)}
		n.hub = NewHub(view, n.follower)
		n.allowed.Store(true)
		check(t, view.reset(store.News{}))
		network := pipenet.New()
		server := &http.Server{Handler: n.hub.Handler(func(*http.Request) bool { return n.allowed.Load() }), WriteTimeout: 30 * time.Second, ReadTimeout: 15 * time.Second}
		ctx, stop := context.WithCancel(context.Background())
		var work sync.WaitGroup
		work.Go(func() { n.hub.Run(ctx) })
		work.Go(func() { server.Serve(network) })
		test(t, n, network, stop)
		stop()
		check(t, server.Close())
		work.Wait()
	})
}

// open begins a stream and returns the connection after the first bytes.
func open(t *testing.T, network *pipenet.Network) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := network.Dial(t.Context())
	check(t, err)
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", StreamPath)
	check(t, err)
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		check(t, err)
		if strings.HasPrefix(line, ":") {
			return c, r
		}
	}
}

func (n *testNode) push(pos uint64) {
	check(n.t, n.view.apply(1, store.Cursor{}, []store.Entry{{Cursor: store.Cursor{Pos: pos}, Kind: store.SessionEnded, Session: store.SID{1}, Expires: time.Now().Add(time.Hour)}}))
}

func TestStreamsEnd(t *testing.T) {
	readOn := func(r *bufio.Reader) {
		go func() {
			for {
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
		}()
	}
	t.Run("a stream outlasts the server's time-outs", func(t *testing.T) {
		inPipes(t, func(t *testing.T, n *testNode, network *pipenet.Network, _ context.CancelFunc) {
			c, r := open(t, network)
			readOn(r)
			time.Sleep(time.Hour)
			if len(n.hub.streams) != 1 {
				t.Error("it has ended")
			}
			c.Close()
			synctest.Wait()
			if len(n.hub.streams) != 0 {
				t.Error("the client has gone, and it goes on")
			}
		})
	})
	t.Run("a client that does not read is given up", func(t *testing.T) {
		inPipes(t, func(t *testing.T, n *testNode, network *pipenet.Network, _ context.CancelFunc) {
			slow, _ := open(t, network)
			defer slow.Close()
			_, r := open(t, network)
			readOn(r)
			n.push(1)
			time.Sleep(2*writeTimeout + heartbeat)
			if len(n.hub.streams) != 1 {
				t.Errorf("%d streams are open", len(n.hub.streams))
			}
		})
	})
	t.Run("a client that may not follow any more is told no more", func(t *testing.T) {
		inPipes(t, func(t *testing.T, n *testNode, network *pipenet.Network, _ context.CancelFunc) {
			_, r := open(t, network)
			readOn(r)
			n.allowed.Store(false)
			time.Sleep(heartbeat + time.Second)
			if len(n.hub.streams) != 0 {
				t.Error("it goes on")
			}
		})
	})
	t.Run("the streams end with the hub", func(t *testing.T) {
		inPipes(t, func(t *testing.T, n *testNode, network *pipenet.Network, stop context.CancelFunc) {
			_, r := open(t, network)
			readOn(r)
			stop()
			synctest.Wait()
			if len(n.hub.streams) != 0 {
				t.Error("it goes on")
			}
		})
	})
}

func TestThereIsALimitToStreamsAndDownloads(t *testing.T) {
	n := newTestNode(t)
	check(t, n.follower.Beat(t.Context()))
	for range maxFollowers {
		n.hub.streams <- struct{}{}
	}
	for range maxDownloads {
		n.hub.downloads <- struct{}{}
	}
	for _, path := range []string{StreamPath, SnapshotPath} {
		w := httptest.NewRecorder()
		n.hub.Handler(func(*http.Request) bool { return true }).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// A snapshot is made once for all who ask within a second.
func TestSnapshotIsShared(t *testing.T) {
	n := newTestNode(t)
	if _, ok := n.hub.blob.get(n.view); ok {
		t.Error("a view that knows nothing has a snapshot")
	}
	check(t, n.follower.Beat(t.Context()))
	first, ok := n.hub.blob.get(n.view)
	again, _ := n.hub.blob.get(n.view)
	if !ok || &first[0] != &again[0] {
		t.Error("it is made again at once")
	}
	n.hub.blob.made -= snapshotFresh
	if later, _ := n.hub.blob.get(n.view); &first[0] == &later[0] {
		t.Error("it is not made again after a second")
	}
}
