package store

import "time"

// A Kind says what a log entry means.
type Kind uint8

const (
	// SessionEnded: the session Entry.Session has ended.
	SessionEnded Kind = 1
	// AllEnded: every session that was created before this entry has ended.
	AllEnded Kind = 2
)

// An Entry of the log of ended sessions. Positions are dense: each is one more
// than the one before, in the order of commits.
type Entry struct {
	Cursor
	Kind    Kind
	Session SID       // of SessionEnded
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
