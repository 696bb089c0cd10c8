package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/internal/problem"
	"github.com/counterfoil/counterfoil/store"
)

// A Hub lets others follow this process over HTTP: package verify, see
// [FromNode], or any program that keeps to docs/feed-protocol.md. It answers
// from the view alone and never asks the store, so a thousand followers cost
// the store nothing.
//
// Make it with [NewHub], call [Hub.Run] beside the follower's, and serve its
// [Hub.Handler] on [StreamPath], [RenewPath] and [SnapshotPath]. It is safe for
// concurrent use.
type Hub struct {
	view      *View
	rouse     func() // makes the follower beat
	followers followers

	streams   chan struct{} // a token for each stream that is open
	nudge     chan struct{}
	latest    atomic.Pointer[message]
	ended     chan struct{} // closed when Run has ended
	downloads chan struct{} // a token for each snapshot under way
	blob      blob
}

// NewHub makes the hub of a view and of the follower that keeps it fresh; it
// sets the follower's Acked and OnNudge, so call it before [Follower.Run].
func NewHub(v *View, f *Follower) *Hub {
	h := &Hub{
		view:      v,
		rouse:     f.BeatNow,
		followers: followers{byID: map[store.NodeID]following{}},
		streams:   make(chan struct{}, maxFollowers),
		nudge:     make(chan struct{}, 1),
		ended:     make(chan struct{}),
		downloads: make(chan struct{}, maxDownloads),
	}
	h.latest.Store(newMessage(nil))
	f.Acked = h.acked
	f.OnNudge = h.nudged
	return h
}

// Handler answers the three routes.
//
// Authorize says whether a request comes from somebody who may follow. It is
// called for each request, and every few seconds again for a stream that is
// open. Who may follow learns the ids of sessions, and that they have ended.
func (h *Hub) Handler(authorize func(*http.Request) bool) http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET "+StreamPath, func(w http.ResponseWriter, r *http.Request) { h.stream(w, r, authorize) })
	routes.HandleFunc("POST "+RenewPath, h.renew)
	routes.HandleFunc("GET "+SnapshotPath, h.snapshot)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if !authorize(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="counterfoil"`)
			problem.Write(w, http.StatusUnauthorized, "client", "Send the id and the secret of a client that may verify (RFC 6749 section 2.3.1).")
			return
		}
		routes.ServeHTTP(w, r)
	})
}

// acked is the follower's Acked.
func (h *Hub) acked(pos uint64) uint64 {
	history, _, _ := h.view.place()
	return h.followers.acked(h.view.clock.now(), history, pos)
}

// nudged asks everybody to renew, which tells how far they are.
func (h *Hub) nudged() {
	_, cursor, _ := h.view.place()
	if !h.followers.want(cursor.Pos) {
		return
	}
	select {
	case h.nudge <- struct{}{}:
	default: // they are about to be asked
	}
}

// renew answers with a proof, the only thing that extends a lease.
//
// The order counts: the follower goes on record first, see [followers]; then
// the proof is read; then the entries, so that they include at least what the
// proof covers. Each may only be too careful: the age is that of the proof when
// the question was here, and the follower counts from before it asked.
func (h *Hub) renew(w http.ResponseWriter, r *http.Request) {
	q, after, err := readQuestion(w, r)
	if err != nil {
		refuseQuestion(w, err)
		return
	}
	history, known := h.locate(r.Context(), after)
	now := h.view.clock.now()
	if known {
		ok, reached := h.followers.note(store.NodeID(*q.Follower), now, following{
			history: history,
			pos:     after.Pos,
			until:   now + store.Longest(h.view.config.Bound),
		})
		if !ok {
			busy(w, "too-many", "Too many follow this node: follow another.")
			return
		}
		if reached {
			h.rouse()
		}
	}
	age, proven := h.view.proof()
	if !proven {
		busy(w, "unproven", "This node can't prove at the moment that it knows of every logout.")
		return
	}
	entries, head, _, known := h.view.since(after, q.Limit)
	if !known {
		problem.Write(w, http.StatusConflict, "unknown-cursor", "The log does not hold that place: take a snapshot.")
		return
	}
	body := appendProof(make([]byte, 0, 512+160*len(entries)), *q.Nonce, proof{
		News:  store.News{Entries: entries, Head: head, Now: h.view.Now()},
		age:   age,
		bound: h.view.config.Bound,
		hold:  h.view.Hold(),
	})
	w.Header().Set("Content-Type", "application/json")
	w.Write(body) // nobody is left to tell if the client has gone
}

// locate finds the follower's place in the log. Where several nodes stand behind
// one address, he may have been with one that is further than this: a place that
// lies ahead is waited for, until a proof from after he asked shows that the log
// does not lead there.
func (h *Hub) locate(ctx context.Context, after store.Cursor) (history uint64, known bool) {
	asked := h.view.clock.now()
	for first := true; ctx.Err() == nil; first = false {
		history, known = h.view.holds(after)
		_, cursor, _ := h.view.place()
		l, now := h.view.lease.Load(), h.view.clock.now()
		late := now >= min(l.until, asked+h.view.config.Bound/beatsPerBound)
		if known || after.Pos <= cursor.Pos || l.sent >= asked || late {
			break
		}
		if first {
			h.rouse()
		}
		pause(ctx, 2*time.Millisecond)
	}
	return history, known
}

var errContentType = errors.New("feed: wrong content type")

func readQuestion(w http.ResponseWriter, r *http.Request) (q question, after store.Cursor, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return q, after, errContentType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		return q, after, fmt.Errorf("feed: read the question: %w", err)
	}
	return parseQuestion(body)
}

func refuseQuestion(w http.ResponseWriter, err error) {
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.Is(err, errContentType):
		problem.Write(w, http.StatusUnsupportedMediaType, "content-type", "Send application/json.")
	case errors.As(err, &tooLarge):
		problem.Write(w, http.StatusRequestEntityTooLarge, "too-large", "The body is too large.")
	default:
		problem.Write(w, http.StatusBadRequest, "unreadable", "The body can't be read: see docs/feed-protocol.md.")
	}
}

func busy(w http.ResponseWriter, code, detail string) {
	w.Header().Set("Retry-After", "1")
	problem.Write(w, http.StatusServiceUnavailable, code, detail)
}

// take takes a token of a semaphore if there is one.
func take(tokens chan struct{}) bool {
	select {
	case tokens <- struct{}{}:
		return true
	default:
		return false
	}
}

// Run tells the streams what is new until ctx ends. The streams end with it.
func (h *Hub) Run(ctx context.Context) {
	defer close(h.ended)
	var last store.Cursor
	for ctx.Err() == nil {
		entries, head, changed, known := h.view.since(last, maxPushed+1)
		event := newsEvent(last, entries, known || head == last)
		last = head
		select {
		case <-h.nudge:
			event = append(event, beatEvent...)
		default:
		}
		if event != nil {
			h.publish(event)
			pause(ctx, h.pace())
			continue
		}
		select {
		case <-changed:
		case <-h.nudge:
			h.publish(beatEvent)
			pause(ctx, h.pace())
		case <-ctx.Done():
		}
	}
}

// pace is how long to gather before the next event. What an event costs grows
// with the streams, about 12 µs of processor time each, so their number bounds
// how many events there are a second: with a thousand streams, ten, for an
// eighth of a core. The first after a while never waits.
func (h *Hub) pace() time.Duration { return time.Duration(len(h.streams)) * 100 * time.Microsecond }

// A blob is a snapshot for everybody who asks within a second.
type blob struct {
	mu   sync.Mutex
	data []byte
	made instant
}
