package counterfoil

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Values are kept as one run of bytes: for each key its length and itself, then
// the length and the JSON of its value. Reading one key skips the others
// without decoding them.

// values are a session's values as the store had them.
type values struct {
	data    []byte
	version uint64 // 0: they were not read yet
}

// A change is a value that the handler has set, or deleted (nil), and that the
// commit will save. It leads to the one before; keys differ.
type change struct {
	key    string
	json   []byte
	before *change
}

// find returns the change of a key, of this one and those before; or nil.
func (c *change) find(key string) *change {
	for c != nil && c.key != key {
		c = c.before
	}
	return c
}

// changes returns the latest change, or nil.
func (x *exchange) changes() *change {
	if x.rare == nil {
		return nil
	}
	return x.rare.changes
}

// load reads the values on their first use in a request.
func (x *exchange) load(ctx context.Context) error {
	id := x.session().id
	if x.unsaved || id.IsZero() || x.keep().values.version != 0 {
		return nil
	}
	data, version, err := x.m.store.Values(ctx, id)
	if err != nil {
		return fromStore(err)
	}
	x.rare.values = values{data, version}
	return nil
}

// lookUp returns the JSON of a key: as this request has changed it, else as it
// is in the store. Nil: there is none.
func (x *exchange) lookUp(ctx context.Context, key string) ([]byte, error) {
	if c := x.changes().find(key); c != nil {
		return c.json, nil
	}
	if err := x.load(ctx); err != nil || x.rare == nil {
		return nil, err
	}
	return findValue(x.rare.values.data, key), nil
}

// put notes a change for the commit.
func (x *exchange) put(key string, json []byte) error {
	if x.committed {
		return x.tooLate("key " + key)
	}
	if x.cookieAction == cookieExpire || (x.via == viaBearer && x.session() == noSession) {
		return ErrEnded // logged out in this request
	}
	if x.via != viaBearer && !x.hasSecret() {
		if json == nil {
			return nil // there is nothing to delete
		}
		if err := x.beginAnonymous(); err != nil {
			return err
		}
	}
	changes := x.changes()
	if c := changes.find(key); c != nil {
		c.json = json
		return nil
	}
	x.keep().changes = &change{key, json, changes}
	return nil
}

// saveChanges merges the handler's changes into what the store has by now, so
// that requests that set different keys both win (D2).
func (x *exchange) saveChanges(ctx context.Context) error {
	if err := x.load(ctx); err != nil {
		return err
	}
	err := x.m.swapValues(ctx, x.session().id, x.rare.values, func(data []byte) ([]byte, error) {
		return applyChanges(data, x.rare.changes), nil
	})
	if err == nil {
		x.rare.values, x.rare.changes = values{}, nil
	}
	return err
}

const maxSwaps = 100 // a bound for the loop, far above what contention needs

// swapValues replaces values by change(values), until no other request came
// between. It begins with what the caller has read.
func (m *Manager) swapValues(ctx context.Context, id store.SID, have values, change func([]byte) ([]byte, error)) error {
	for attempt := range maxSwaps {
		changed, err := change(have.data)
		if err != nil || bytes.Equal(changed, have.data) {
			return err
		}
		err = fromStore(m.store.SaveValues(ctx, id, have.version, changed))
		if err != ErrConflict {
			return err
		}
		if err := pause(ctx, rand.N(time.Duration(attempt+1)*100*time.Microsecond)); err != nil {
			return err
		}
		if have.data, have.version, err = m.store.Values(ctx, id); err != nil {
			return fromStore(err)
		}
	}
	return ErrConflict
}

// findValue returns the JSON of a key within encoded values, or nil.
func findValue(data []byte, key string) []byte {
	for len(data) > 0 {
		k, v, rest, ok := nextValue(data)
		if !ok {
			return nil
		}
		if string(k) == key {
			return v
		}
		data = rest
	}
	return nil
}

// applyChanges returns new encoded values, and leaves data as it is. A changed
// value stays in its place, so that setting what is there already changes
// nothing and is not written (D7).
func applyChanges(data []byte, changes *change) []byte {
	size := len(data)
	for c := changes; c != nil; c = c.before {
		size += len(c.key) + len(c.json) + 2*binary.MaxVarintLen32
	}
	out := make([]byte, 0, size)
	for rest := data; len(rest) > 0; {
		key, json, next, ok := nextValue(rest)
		if !ok {
			break
		}
		if c := changes.find(string(key)); c != nil {
			json = c.json
		}
		out = appendValue(out, string(key), json)
		rest = next
	}
	for c := changes; c != nil; c = c.before {
		if findValue(data, c.key) == nil {
			out = appendValue(out, c.key, c.json)
		}
	}
	return out
}

// appendValue appends a value, or nothing for one that is deleted.
func appendValue(out []byte, key string, json []byte) []byte {
	if json == nil {
		return out
	}
	out = binary.AppendUvarint(out, uint64(len(key)))
	out = append(out, key...)
	out = binary.AppendUvarint(out, uint64(len(json)))
	return append(out, json...)
}

func nextValue(data []byte) (key, json, rest []byte, ok bool) {
	key, data, ok = cutField(data)
	if !ok {
		return nil, nil, nil, false
	}
	json, rest, ok = cutField(data)
	return key, json, rest, ok
}

func cutField(data []byte) (field, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return nil, nil, false
	}
	return data[size : size+int(n)], data[size+int(n):], true
}

// checkKeyName is for names in the program's text, so it panics.
func checkKeyName(name string) {
	if name == "" || len(name) > 128 {
		panic(fmt.Sprintf("counterfoil: a key's name has 1 to 128 bytes, not %d", len(name)))
	}
}
