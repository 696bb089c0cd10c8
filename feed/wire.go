package feed

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// What a node and its followers say to each other, as JSON. The document
// docs/feed-protocol.md describes it for other languages; testdata holds
// examples of it, good and bad.

// The routes, below the issuer's URL.
const (
	StreamPath   = "/v1/feed"
	RenewPath    = "/v1/feed/renew"
	SnapshotPath = "/v1/feed/snapshot"
)

// The events of the stream.
const (
	eventEntries = "entries" // the data is what the log has grown by
	eventBeat    = "beat"    // renew now
)

const (
	maxQuestion = 1 << 10 // bytes of a renewal
	maxAnswer   = 4 << 20 // of the answer to it; store.MaxBatch entries take up to 1.7 MB
	maxEvent    = 1 << 20 // of one event; maxPushed entries take up to 200 kB
)

// errMalformed: what the other side said breaks the protocol. It proves nothing.
var errMalformed = errors.New("feed: malformed")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
}

// A hexID is 128 bits, in JSON as 32 hexadecimal digits in lower case.
type hexID [16]byte

func (id hexID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

func (id *hexID) UnmarshalText(text []byte) error {
	if len(text) != 2*len(id) || bytes.ContainsAny(text, "ABCDEF") {
		return malformed("an id has 32 hexadecimal digits in lower case")
	}
	if _, err := hex.Decode(id[:], text); err != nil {
		return malformed("an id has 32 hexadecimal digits in lower case")
	}
	return nil
}

type wireCursor struct {
	Pos *uint64 `json:"pos"`
	ID  *hexID  `json:"id"`
}

func newWireCursor(c store.Cursor) *wireCursor { return &wireCursor{&c.Pos, (*hexID)(&c.ID)} }

func (c *wireCursor) cursor() (store.Cursor, error) {
	if c == nil || c.Pos == nil || c.ID == nil {
		return store.Cursor{}, malformed("a place in the log needs pos and id")
	}
	return store.Cursor{Pos: *c.Pos, ID: *c.ID}, nil
}

// A question asks for a proof.
type question struct {
	Follower *hexID      `json:"follower"`
	Nonce    *hexID      `json:"nonce"`
	After    *wireCursor `json:"after"`
	Limit    int         `json:"limit"`
}

func parseQuestion(body []byte) (q question, after store.Cursor, err error) {
	if err := decode(body, &q); err != nil {
		return q, after, err
	}
	if q.Follower == nil || q.Nonce == nil || *q.Follower == (hexID{}) {
		return q, after, malformed("follower and nonce are required")
	}
	if q.Limit < 1 || q.Limit > store.MaxBatch {
		return q, after, malformed("limit is from 1 to %d", store.MaxBatch)
	}
	after, err = q.After.cursor()
	return q, after, err
}

// A wireProof is the answer to it. Every member is required: one that is
// missing must not be taken for zero.
type wireProof struct {
	Nonce   *hexID      `json:"nonce"`
	Head    *wireCursor `json:"head"`
	Entries []wireEntry `json:"entries"`
	Now     *int64      `json:"now"`
	Age     *int64      `json:"age_ms"`
	Bound   *int64      `json:"bound_ms"`
	Hold    *int64      `json:"hold_ms"`
}

type wireEntry struct {
	wireCursor
	Kind store.Kind `json:"kind"`
	SID  string     `json:"sid"`
	Exp  int64      `json:"exp"`
}

func (e *wireEntry) entry() (store.Entry, error) {
	cursor, err := e.cursor()
	if err != nil {
		return store.Entry{}, err
	}
	sid, err := store.ParseSID(e.SID)
	if err != nil {
		return store.Entry{}, malformed("%v", err)
	}
	return newEntry(cursor, e.Kind, sid, e.Exp)
}

// newEntry checks what both formats have in common. An entry of a kind that we
// don't know may end anything: we can't go on without it.
func newEntry(c store.Cursor, k store.Kind, sid store.SID, exp int64) (store.Entry, error) {
	if k != store.SessionEnded && k != store.AllEnded {
		return store.Entry{}, malformed("an entry of kind %d: this program is too old for the issuer", k)
	}
	if sid.IsZero() {
		return store.Entry{}, malformed("an entry without a session id")
	}
	expires, err := parseTime(exp)
	return store.Entry{Cursor: c, Kind: k, Session: sid, Expires: expires}, err
}

// maxTime is the end of the year 9999, in Unix milliseconds.
const maxTime = 253402300799999

func parseTime(ms int64) (time.Time, error) {
	if ms <= 0 || ms > maxTime {
		return time.Time{}, malformed("a time of %d: want Unix milliseconds", ms)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// parseSpan reads milliseconds, at most maxHold: more makes no sense anywhere.
func parseSpan(name string, ms *int64) (time.Duration, error) {
	if ms == nil || *ms < 0 || *ms > maxHold.Milliseconds() {
		return 0, malformed("%s is missing or not from 0 to %d", name, maxHold.Milliseconds())
	}
	return time.Duration(*ms) * time.Millisecond, nil
}

// A proof is what a node proved.
type proof struct {
	store.News
	age, bound, hold time.Duration
}

// parseProof reads the answer to the question with that nonce.
func parseProof(body []byte, nonce hexID) (p proof, err error) {
	var w wireProof
	if err := decode(body, &w); err != nil {
		return p, err
	}
	if w.Nonce == nil || *w.Nonce != nonce {
		return p, malformed("the answer is to another question")
	}
	if w.Entries == nil || w.Now == nil {
		return p, malformed("entries and now are required")
	}
	if p.Head, err = w.Head.cursor(); err != nil {
		return p, err
	}
	if p.Entries, err = entries(w.Entries); err != nil {
		return p, err
	}
	if p.Now, err = parseTime(*w.Now); err != nil {
		return p, err
	}
	if p.age, err = parseSpan("age_ms", w.Age); err != nil {
		return p, err
	}
	if p.bound, err = parseSpan("bound_ms", w.Bound); err != nil {
		return p, err
	}
	p.hold, err = parseSpan("hold_ms", w.Hold)
	return p, err
}

// A wirePush is the data of an event. An entry names its own place in the log
// and not the one before, so whoever pushes says what the first follows on.
type wirePush struct {
	After   *wireCursor `json:"after"`
	Entries []wireEntry `json:"entries"`
}

func parsePush(data []byte) (after store.Cursor, list []store.Entry, err error) {
	var w wirePush
	if err := decode(data, &w); err != nil {
		return after, nil, err
	}
	if after, err = w.After.cursor(); err != nil {
		return after, nil, err
	}
	list, err = entries(w.Entries)
	return after, list, err
}

func entries(w []wireEntry) ([]store.Entry, error) {
	list := make([]store.Entry, len(w))
	for i := range w {
		var err error
		if list[i], err = w[i].entry(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// decode reads one JSON value and nothing behind it. Members that it does not
// know are passed over, so that the two sides need not be of one version.
func decode(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(to); err != nil {
		return malformed("%v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed("something follows the JSON")
	}
	return nil
}

// appendProof writes the answer to a renewal. By hand, as there are thousands a
// second. Now and age are rounded up: both only make leases shorter.
func appendProof(b []byte, nonce hexID, p proof) []byte {
	b = appendID(append(b, `{"nonce":"`...), nonce)
	b = append(b, `","head":{`...)
	b = appendCursor(b, p.Head)
	b = append(b, `},"entries":`...)
	b = appendEntries(b, p.Entries)
	b = strconv.AppendInt(append(b, `,"now":`...), p.Now.Add(time.Millisecond-1).UnixMilli(), 10)
	b = strconv.AppendInt(append(b, `,"age_ms":`...), (p.age + time.Millisecond - 1).Milliseconds(), 10)
	b = strconv.AppendInt(append(b, `,"bound_ms":`...), p.bound.Milliseconds(), 10)
	b = strconv.AppendInt(append(b, `,"hold_ms":`...), p.hold.Milliseconds(), 10)
	return append(b, '}')
}

func appendEntries(b []byte, entries []store.Entry) []byte {
	b = append(b, '[')
	for i := range entries {
		e := &entries[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCursor(append(b, '{'), e.Cursor)
		b = strconv.AppendUint(append(b, `,"kind":`...), uint64(e.Kind), 10)
		b = append(append(b, `,"sid":"`...), e.Session.String()...)
		b = strconv.AppendInt(append(b, `","exp":`...), e.Expires.UnixMilli(), 10)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendCursor(b []byte, c store.Cursor) []byte {
	b = strconv.AppendUint(append(b, `"pos":`...), c.Pos, 10)
	return append(appendID(append(b, `,"id":"`...), c.ID), '"')
}

func appendID(b []byte, id [16]byte) []byte { return hex.AppendEncode(b, id[:]) }
