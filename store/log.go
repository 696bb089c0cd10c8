package store

import (
	"crypto/rand"
	"time"
)

// A Kind says what a log entry means.
type Kind uint8

const (
	// SessionEnded: the session Entry.Session has ended.
	SessionEnded Kind = 1
	// AllEnded: every session that was created before this entry has ended.
	// Entry.Session names the cut: its time, see [SID.Time], is the store's. No
	// session that it ended was created later, by Session.Created, unless the
	// clock of a server was set back shortly before; and none that was created
	// after it earlier. But a session may still be seen live after that time: the
	// entry is stamped before it is committed, and how long that takes nobody can
	// say.
	AllEnded Kind = 2
)

// An Entry of the log of ended sessions. Positions are dense: each is one more
// than the one before, in the order of commits.
type Entry struct {
	Cursor
	Kind    Kind
	Session SID       // that has ended; of AllEnded: an id made by NewSID at that moment
	Expires time.Time // nothing issued for the session works after this, entry or not
}

// A Cursor names a place in the log: a position, and the random id of the entry
// that stands there. After a restore or a failover positions are used again;
// the id shows it. The zero Cursor is the place before the first entry.
type Cursor struct {
	Pos uint64
	ID  [16]byte
}

// News is what a follower of the log learns.
type News struct {
	Entries []Entry
	Head    Cursor    // the last entry of the log; a follower that has applied it is up to date
	Now     time.Time // the store's time in the transaction that read Head
}

// A NodeID names a process that follows the log. It is drawn anew at each start.
type NodeID [16]byte

// NewNodeID draws a node's id.
func NewNodeID() (id NodeID) {
	rand.Read(id[:]) // never fails since Go 1.24: it ends the program instead
	return id
}

// A Beat is what a node says of itself when it asks for the proof that its view
// of the log is up to date: see [Store.Beat].
type Beat struct {
	// Node is who asks. The zero NodeID is not put on record.
	Node NodeID
	// Bound is for how long the node may answer from memory, counted from the
	// moment at which it asks.
	Bound time.Duration
	// After is the place up to which the node has applied the log.
	After Cursor
	// Acked is the position up to which the node, and everybody who follows it,
	// refuses what has ended. At most After.Pos.
	Acked uint64
	// Limit bounds the entries of the answer. At most MaxBatch.
	Limit int
}

// A Holder is a node that may answer from memory.
type Holder struct {
	Node  NodeID
	Acked uint64    // what its latest beat told
	Until time.Time // by the store's clock: a beat, and its bound with the error of clocks; of all its beats the latest
}

// ClockError is how far, at most, the rates of two clocks differ: ρ.
const ClockError = 1e-3

// Longest is how long a bound may last by another clock: bound·(1+2ρ).
func Longest(bound time.Duration) time.Duration {
	return bound + time.Duration(2*ClockError*float64(bound)) + time.Millisecond
}

// A Hint says why a node should look at the log. See [Store.Watch].
type Hint uint8

const (
	LogGrew Hint = 1 // there are entries to follow
	BeatNow Hint = 2 // somebody waits until every node has refused what has ended
)
