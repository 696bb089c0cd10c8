package feed

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

const (
	// maxPushed is how many entries an event has at most; of more, followers
	// are told to renew.
	maxPushed = 1000

	// maxBehind is how many events a stream may be behind before it is ended.
	maxBehind = 256

	heartbeat    = 5 * time.Second
	writeTimeout = 5 * time.Second
)

var (
	beatEvent      = []byte("event: " + eventBeat + "\ndata: {}\n\n")
	heartbeatLines = []byte(": still here\n\n")
)

// newsEvent is what the streams are told of new entries; nil: nothing. Where the
// hub's own place in the log was lost, it tells them to look for themselves.
func newsEvent(after store.Cursor, entries []store.Entry, known bool) []byte {
	switch {
	case !known || len(entries) > maxPushed:
		return append([]byte(nil), beatEvent...)
	case len(entries) == 0:
		return nil
	}
	b := append(make([]byte, 0, 160+160*len(entries)), "event: "+eventEntries+"\ndata: {\"after\":{"...)
	b = append(appendCursor(b, after), `},"entries":`...)
	return append(appendEntries(b, entries), "}\n\n"...)
}

// A message is what all streams are told, encoded once. Each stream walks along
// the chain of them at its own pace; what all have passed is forgotten.
type message struct {
	data []byte
	seq  uint64
	next atomic.Pointer[message]
	done chan struct{} // closed when there is a next
}

func newMessage(data []byte) *message { return &message{data: data, done: make(chan struct{})} }

// publish is called by Run only.
func (h *Hub) publish(data []byte) {
	last := h.latest.Load()
	m := newMessage(data)
	m.seq = last.seq + 1
	last.next.Store(m)
	h.latest.Store(m)
	close(last.done)
}

// stream sends hints until the client goes, reads too slowly, may not follow any
// more, or the hub ends. It is one goroutine a follower, that of the request.
func (h *Hub) stream(w http.ResponseWriter, r *http.Request, authorize func(*http.Request) bool) {
	if !take(h.streams) {
		busy(w, "too-many", "Too many follow this node: follow another.")
		return
	}
	defer func() { <-h.streams }()
	at := h.latest.Load() // before the client is told that it hears everything
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	if r.Method == http.MethodHead {
		return
	}
	s := newSender(w)
	if err := s.send(heartbeatLines); err != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-at.done:
			for next := at.next.Load(); next != nil; next = at.next.Load() {
				at = next
				if h.latest.Load().seq-at.seq > maxBehind || s.write(at.data) != nil {
					return
				}
			}
			if s.flush() != nil {
				return
			}
		case <-beat.C:
			if !authorize(r) || s.send(heartbeatLines) != nil {
				return
			}
		case <-h.ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// A sender writes an answer that lasts: the server's time-outs, which are for a
// whole request, give way to one for each write.
type sender struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	err        error
}

func newSender(w http.ResponseWriter) *sender {
	s := &sender{w: w, controller: http.NewResponseController(w)}
	s.err = s.controller.SetReadDeadline(time.Time{}) // it would end the request
	return s
}

// write gives the client writeTimeout to take the bytes.
func (s *sender) write(b []byte) error {
	if s.err == nil {
		s.err = s.controller.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
	return s.err
}

func (s *sender) flush() error {
	if s.err == nil {
		s.err = s.controller.Flush()
	}
	return s.err
}

func (s *sender) send(b []byte) error {
	if err := s.write(b); err != nil {
		return err
	}
	return s.flush()
}
