package feed

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A transport answers every request with a body.
type transport func(*http.Request) (status int, body io.Reader)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := t(r)
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"text/event-stream"}},
		Body:       io.NopCloser(body),
		Request:    r,
	}, nil
}

func sourceWith(t transport) Source {
	return FromNode(NodeConfig{URL: "http://localhost", ClientID: "c_x", ClientSecret: password, Transport: t, OnHold: func(time.Duration) {}})
}

// hanging gives its bytes, and then nothing until the request is given up.
func hanging(r *http.Request, head string) io.Reader {
	return io.MultiReader(strings.NewReader(head), readerFunc(func([]byte) (int, error) {
		<-r.Context().Done()
		return 0, r.Context().Err()
	}))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// An issuer that goes silent is given up, whatever it has begun.
func TestSilenceIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := sourceWith(func(r *http.Request) (int, io.Reader) { return 200, hanging(r, snapshotMagic) })
		begun := time.Now()
		if _, err := silent.Snapshot(t.Context()); err == nil || time.Since(begun) > 2*snapshotIdle {
			t.Errorf("a snapshot: %v after %v", err, time.Since(begun))
		}
		begun = time.Now()
		silent = sourceWith(func(r *http.Request) (int, io.Reader) { return 200, hanging(r, ": here\n\n") })
		if err := silent.Watch(t.Context(), func(store.Hint, store.Cursor, []store.Entry) {}); err == nil || time.Since(begun) > 2*streamIdle {
			t.Errorf("a stream: %v after %v", err, time.Since(begun))
		}
		view := NewView(Config{Bound: testBound, Hold: testHold})
		check(t, view.reset(store.News{}))
		begun = time.Now()
		silent = sourceWith(func(r *http.Request) (int, io.Reader) { return 200, hanging(r, "{") })
		if err := NewFollower(view, silent, discard).Beat(t.Context()); err == nil || time.Since(begun) > testBound/2 {
			t.Errorf("a renewal: %v after %v", err, time.Since(begun))
		}
	})
}

// What has no end is not read to it.
func TestAnswersHaveALimit(t *testing.T) {
	read := 0
	endless := sourceWith(func(*http.Request) (int, io.Reader) {
		return 200, readerFunc(func(b []byte) (int, error) {
			n := copy(b, bytes.Repeat([]byte(" "), len(b)))
			read += n
			return n, nil
		})
	})
	view := NewView(Config{Bound: testBound, Hold: testHold})
	check(t, view.reset(store.News{}))
	if err := NewFollower(view, endless, discard).Beat(t.Context()); !errors.Is(err, errMalformed) || read > 2*maxAnswer {
		t.Errorf("a renewal: %v after %d bytes", err, read)
	}
	read = 0
	if _, err := endless.Snapshot(t.Context()); !errors.Is(err, errMalformed) || read > maxAnswer {
		t.Errorf("a snapshot: %v after %d bytes", err, read)
	}
	read = 0
	if err := endless.Watch(t.Context(), func(store.Hint, store.Cursor, []store.Entry) {}); !errors.Is(err, errMalformed) || read > 2*maxEvent {
		t.Errorf("a stream: %v after %d bytes", err, read)
	}
}

// A verifier reads, and writes nothing.
func TestANodeTakesNothingBack(t *testing.T) {
	source := sourceWith(func(*http.Request) (int, io.Reader) {
		t.Error("something is sent")
		return 500, strings.NewReader("")
	})
	if err := source.Merge(t.Context(), []store.Entry{{Kind: store.AllEnded}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
