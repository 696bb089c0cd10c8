package feed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/counterfoil/counterfoil/store"
)

// streamIdle is after how long without a sign of life a stream is given up.
const streamIdle = 3 * heartbeat

// Watch reads the stream of hints until ctx ends or the stream does.
func (n *node) Watch(ctx context.Context, hint HintFunc) error {
	stream, active, cancel := untilIdle(ctx, streamIdle)
	defer cancel()
	answer, err := n.do(stream, http.MethodGet, StreamPath, nil)
	if err != nil {
		return unlessOver(ctx, err)
	}
	defer answer.Body.Close()
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || kind != "text/event-stream" {
		return malformed("the stream of hints is no text/event-stream")
	}
	// From here on nothing is missed; a beat brings what came before.
	hint(store.BeatNow, store.Cursor{}, []store.Entry{})
	return unlessOver(ctx, readEvents(&activeReader{answer.Body, active}, hint))
}

// unlessOver passes on an error, unless it is that nobody listens any more.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// readEvents reads Server-Sent Events: of their format what a hub sends, which
// is lines of "name: value", an empty line behind each event, and comments.
func readEvents(r io.Reader, hint HintFunc) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxEvent)
	var event string
	var data []byte
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if err := tell(event, data, hint); err != nil {
				return err
			}
			event, data = "", data[:0]
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			event = string(value)
		case "data":
			if len(data)+len(value) > maxEvent {
				return malformed("an event of more than %d bytes", maxEvent)
			}
			data = append(data, value...)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return malformed("an event of more than %d bytes", maxEvent)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("feed: the stream of hints broke: %w", err)
	}
	return errors.New("feed: the issuer ended the stream of hints")
}

// tell passes an event on. One that we don't know is passed over: whatever it
// hints at, the next beat finds.
func tell(event string, data []byte, hint HintFunc) error {
	switch event {
	case eventEntries:
		after, entries, err := parsePush(data)
		if err != nil {
			return err
		}
		hint(store.LogGrew, after, entries)
	case eventBeat:
		hint(store.BeatNow, store.Cursor{}, []store.Entry{})
	}
	return nil
}
