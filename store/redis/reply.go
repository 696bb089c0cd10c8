package redis

import (
	"encoding/hex"
	"fmt"

	"github.com/valkey-io/valkey-go"

	"github.com/counterfoil/counterfoil/store"
)

// A reply is the list that a script answers, or a list in it. The first thing
// that is not as it should be stays in err.
type reply struct {
	values []valkey.ValkeyMessage
	script *script
	err    *error
}

func newReply(sc *script, values []valkey.ValkeyMessage) reply { return reply{values, sc, new(error)} }

func (r reply) fail(i int, err error) {
	if *r.err == nil {
		*r.err = fmt.Errorf("redis: %s: element %d of the answer: %w", r.script.name, i, err)
	}
}

func (r reply) at(i int) (valkey.ValkeyMessage, bool) {
	if i >= len(r.values) {
		r.fail(i, fmt.Errorf("there are %d only", len(r.values)))
		return valkey.ValkeyMessage{}, false
	}
	return r.values[i], true
}

// text returns an element as text; empty where it is null.
func (r reply) text(i int) string {
	m, ok := r.at(i)
	if !ok || m.IsNil() {
		return ""
	}
	text, err := m.ToString()
	if err != nil {
		r.fail(i, err)
	}
	return text
}

// int returns an element that is a number, or the text of one; 0 where it is
// null.
func (r reply) int(i int) int64 {
	m, ok := r.at(i)
	if !ok || m.IsNil() {
		return 0
	}
	n, err := m.AsInt64()
	if err != nil {
		r.fail(i, err)
	}
	return n
}

func (r reply) uint(i int) uint64 { return uint64(r.int(i)) }

// list returns an element that is a list.
func (r reply) list(i int) reply {
	m, ok := r.at(i)
	if !ok {
		return reply{nil, r.script, r.err}
	}
	values, err := m.ToArray()
	if err != nil {
		r.fail(i, err)
	}
	return reply{values, r.script, r.err}
}

// lists returns an element that is a list of lists.
func (r reply) lists(i int) []reply {
	outer := r.list(i)
	inner := make([]reply, len(outer.values))
	for j := range inner {
		inner[j] = outer.list(j)
	}
	return inner
}

// sid returns an element that is a session's id; zero where it is null.
func (r reply) sid(i int) store.SID {
	text := r.text(i)
	if text == "" {
		return store.SID{}
	}
	id, err := store.ParseSID(text)
	if err != nil {
		r.fail(i, err)
	}
	return id
}

// bytes fills dst from an element of that length; a null leaves it.
func (r reply) bytes(i int, dst []byte) {
	text := r.text(i)
	if text != "" && copy(dst, text) != len(text) {
		r.fail(i, fmt.Errorf("%d bytes in place of %d", len(text), len(dst)))
	}
}

// entryID returns an element that is the id of a log entry.
func (r reply) entryID(i int) (id [16]byte) {
	text := r.text(i)
	if len(text) != 2*len(id) {
		r.fail(i, fmt.Errorf("%q is no id of a log entry", text))
		return id
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		r.fail(i, err)
	}
	return id
}

// cursor returns a position, and the id in the element after it.
func (r reply) cursor(i int) store.Cursor {
	return store.Cursor{Pos: r.uint(i), ID: r.entryID(i + 1)}
}
