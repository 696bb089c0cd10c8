// Package stores compares the stores that libraries keep sessions in: on the
// same SQLite file system, the same PostgreSQL and the same Redis, each with
// one client and with 64.
//
// The driver is the same for all on a database. What differs is what they write
// and how: the peers keep a session as one opaque value under its token, ours
// as a record with an owner, an expiry, values of their own and a log of what
// ended. The row-by-row case writes our tables, with as little as can be said
// in SQL, in a transaction for each write.
package stores

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// A backend is a store of sessions, ours or a peer's. The number of a session
// is all that the load knows of it. Calls for different sessions may come at
// the same time.
type backend interface {
	// Insert adds a session.
	Insert(ctx context.Context, id key) error
	// Update replaces its values. Version counts the updates from 1.
	Update(ctx context.Context, id key, version uint64, values []byte) error
	// User looks up whose session it is.
	User(ctx context.Context, id key) (string, error)
	// Values reads what Update wrote last, or Insert.
	Values(ctx context.Context, id key) ([]byte, error)
	// Delete ends a session.
	Delete(ctx context.Context, id key) error
}

// What a session holds: whose it is, since when, and one value.
const (
	valueSize = 200
	lifetime  = 24 * time.Hour
	idle      = time.Hour
)

// user is whose session it is. Everybody has a few.
func user(n int) string { return fmt.Sprintf("user-%d", n%5000) }

// values are 200 bytes that are new in each version: a database may skip an
// update that changes nothing.
func values(n int, version uint64) []byte {
	v := make([]byte, valueSize)
	binary.BigEndian.PutUint64(v, uint64(n))
	binary.BigEndian.PutUint64(v[8:], version)
	return v
}

// pack makes the opaque value that a peer keeps: whose session it is, since
// when, and the value. The peers' own encodings are compared elsewhere.
func pack(user string, values []byte) []byte {
	b := append(make([]byte, 0, 16+len(user)+len(values)), byte(len(user)))
	b = append(b, user...)
	b = binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixMilli()))
	return append(b, values...)
}

func unpack(b []byte) (user string, values []byte, err error) {
	if len(b) == 0 || len(b) < 9+int(b[0]) {
		return "", nil, fmt.Errorf("a session of %d bytes", len(b))
	}
	n := int(b[0])
	return string(b[1 : 1+n]), b[9+n:], nil
}
