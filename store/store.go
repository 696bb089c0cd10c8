// Package store is the contract between Counterfoil and the place where it
// keeps sessions.
//
// Most programs never call it: open one of the implementations (store/memory,
// store/sqlite) and hand it to counterfoil.Config. Whoever writes another
// implementation finds the whole contract on [Store], and the same contract as
// a test in package storetest.
//
// Four rules hold for every method, because each was broken by a well-known
// library before:
//
//   - A write succeeds only on a session that is live. Nothing here creates a
//     session but [Store.Create], so a slow request can't bring back a session
//     that was ended meanwhile.
//   - A session that has ended is absent. Whoever ends one, in whatever way,
//     appends to the log of ended sessions in the same transaction.
//   - The store keeps digests of secrets, never secrets: what is read out of it
//     opens nothing.
//   - Expiry is judged by the store's own clock, which never decreases.
package store

import (
	"context"
	"errors"
	"time"
)

// The errors of the contract. Implementations may wrap them; callers use
// errors.Is. Any other error means that the store could not answer, and that
// the caller must refuse what he was asked to accept.
var (
	// ErrNotFound: there is no such live session (or document). It never was,
	// it has ended, or it has expired; the store does not tell which.
	ErrNotFound = errors.New("store: no such live session")

	// ErrConflict: the version is not the expected one. Read again and retry.
	ErrConflict = errors.New("store: changed by another request")

	// ErrSuperseded: all of the user's sessions were ended after the login
	// began, so the login must not count.
	ErrSuperseded = errors.New("store: the user's sessions were ended since the login began")

	// ErrReused: a refresh token was presented after its grace. The session
	// has been ended, in the same transaction.
	ErrReused = errors.New("store: a used refresh token was presented again: the session is ended")

	// ErrUnknownCursor: the log does not hold that position with that id: it
	// was pruned, or it belongs to another history. Take a snapshot.
	ErrUnknownCursor = errors.New("store: unknown position in the log of ended sessions")

	// ErrIndeterminate: the write was handed over, and whether it happened
	// can't be told. Every method that ends sessions may be repeated.
	ErrIndeterminate = errors.New("store: the outcome of the write is unknown")

	// ErrFull: the store has reached its configured size.
	ErrFull = errors.New("store: full: raise its limit or shorten the sessions")

	// ErrTooLarge: a record, its values or a document exceeds its limit.
	ErrTooLarge = errors.New("store: too large")
)

// Limits that every implementation keeps and that [Session.Validate] and the
// callers may rely on. They count bytes.
const (
	MaxUser      = 256     // Session.User, Session.Name
	MaxText      = 512     // Session.UserAgent, Session.Address, Session.Methods
	MaxValues    = 1 << 20 // the values of one session, encoded
	MaxDocument  = 1 << 20 // one document
	MaxBatch     = 10_000  // the entries of one Follow, Beat or Merge, the rows of one List
	MaxTouchSize = 4096    // the touches of one Touch
	MaxHolders   = 4096    // the nodes on record at one time
)

// A Store keeps sessions, the log of those that ended, and a few small
// documents. Its methods are safe for concurrent use by many goroutines, and,
// where the store is shared, by many processes.
//
// Times are the store's: it stamps what it writes with its own clock, which
// never decreases, not even over a restart if the store survives one. Times
// and durations have the precision of a millisecond.
//
// When ctx ends before the store has begun to write, nothing was written and
// the context's error is returned. When it ends later the error is
// [ErrIndeterminate].
type Store interface {
	// Create adds a session and returns it as stored. See [Creation] for what
	// else happens in the same transaction.
	//
	// Errors: ErrSuperseded where the user's generation is no longer
	// Creation.Generation; ErrNotFound where Creation.Replaces is not live;
	// ErrConflict where the id exists; ErrFull, ErrTooLarge. On an error
	// nothing has changed.
	Create(ctx context.Context, c Creation) (Session, error)

	// Find returns the session if it is live. Session.AsOf is the store's time
	// in the transaction that saw it. Find writes nothing.
	Find(ctx context.Context, id SID) (Session, error)

	// List returns live sessions in the order of their ids, at most q.Limit of
	// them and at most MaxBatch. It uses an index on the user.
	List(ctx context.Context, q Query) ([]Session, error)

	// Values returns the session's values and their version. The caller must
	// not change the bytes. A session without values has nil and its version.
	Values(ctx context.Context, id SID) (values []byte, version uint64, err error)

	// SaveValues replaces the values if the session is live and its values
	// still have that version; the version then counts one up. Otherwise it
	// returns ErrNotFound or ErrConflict and changes nothing.
	SaveValues(ctx context.Context, id SID, version uint64, values []byte) error

	// Touch moves LastSeen of the live sessions among those named forward to
	// At, never backward, never past the store's own time, and touches nothing
	// else. A session that has ended or expired is passed over silently: a
	// touch never revives.
	Touch(ctx context.Context, touches []Touch) error

	// RotateRefresh exchanges a refresh token for its successor: see
	// [Rotation] and [Rotated].
	//
	// Errors: ErrNotFound where the session is not live or the family is not
	// the session's; ErrReused where the family is right and the token is
	// neither the current one nor, within the grace, the one before.
	RotateRefresh(ctx context.Context, r Rotation) (Rotated, error)

	// FindRefresh returns the session of a refresh token that RotateRefresh
	// would exchange, and exchanges nothing: it writes nothing, and of the
	// rotation only ID, Family, Presented and Grace count.
	//
	// Errors: ErrNotFound for every other token.
	FindRefresh(ctx context.Context, r Rotation) (Session, error)

	// End ends one session. Ending a session that is not live changes nothing,
	// is no error, and returns the position of the log's head, so that a
	// repeated logout can wait for the first one.
	End(ctx context.Context, id SID, retain time.Duration) (Ended, error)

	// EndUser ends every session of the user except one (the zero SID: no
	// exception), and counts the user's generation up, so that a login that
	// began before is refused by Create. It does both, and appends to the log,
	// in one transaction. The user need have no session. The empty user has
	// none: anonymous sessions belong to nobody.
	EndUser(ctx context.Context, user string, except SID, retain time.Duration) (Ended, error)

	// EndAll ends every session of everybody, anonymous ones too, and counts
	// every user's generation up. It appends one entry of kind [AllEnded].
	// Ended.Count is the number of sessions that were live, as far as the
	// store can tell cheaply, else -1.
	EndAll(ctx context.Context, retain time.Duration) (Ended, error)

	// Generation returns the user's generation, at least 1. It counts up, by
	// one or more, whenever all of the user's sessions are ended. A login reads it before it
	// looks at the credentials.
	Generation(ctx context.Context, user string) (uint64, error)

	// Follow returns the entries of the log after the cursor: gap-free, in order
	// of position, at most limit and at most MaxBatch. The zero cursor is before
	// the first entry ever. It proves nothing: what a replica answers may be
	// old. For that there is Beat.
	//
	// Error: ErrUnknownCursor where the cursor's position is gone or carries
	// another id.
	Follow(ctx context.Context, after Cursor, limit int) (News, error)

	// Beat proves that this is the store that takes writes: where there are
	// replicas it is itself a replicated write, since a read may be answered by
	// a primary that was deposed. It puts the node on record as one that may
	// answer from memory, and returns what Follow returns, with the head as it
	// is after that. Whatever appends to the log later sees the node in Holders.
	//
	// Errors: as Follow, and ErrFull where MaxHolders others are on record. Then
	// the node is not put on record; what an earlier beat put there stays, since
	// the lease that it earned still runs.
	Beat(ctx context.Context, b Beat) (News, error)

	// Holders returns the nodes that may answer from memory, as their latest
	// beats told, and the store's time. Those whose Until has passed may be
	// left out. Whoever ends a session and waits for them keeps the Until that
	// he saw first after the end: what moves it on is a beat that has seen it.
	Holders(ctx context.Context) ([]Holder, time.Time, error)

	// Watch calls hint soon after the log has grown or Nudge was called, by any
	// process where the store can tell, until ctx ends (nil) or the connection
	// breaks (an error). It calls hint(LogGrew) once when it begins to listen.
	// Hints may be merged, late, or lost: nothing rests on them. They come from
	// one goroutine; a hint that takes long delays the next.
	Watch(ctx context.Context, hint func(Hint)) error

	// Nudge asks every node that watches to beat now.
	Nudge(ctx context.Context) error

	// Merge adds entries that a follower knows from before the store lost them,
	// by a failover or a restore: it ends the sessions that they name, and
	// appends those that the log does not hold and that have not expired, with
	// the same Expires and new positions and ids. The log is a set that only
	// grows, so merging is safe, and merging again changes nothing. It holds an
	// entry if it has one of the same Kind for the same Session that has not
	// expired. What has expired is passed over, and ends nothing.
	//
	// For an entry of kind AllEnded that the log does not hold it does what EndAll
	// does, retaining until that entry expires, and appends the entry as well.
	//
	// Error: ErrTooLarge where there are more than MaxBatch.
	Merge(ctx context.Context, entries []Entry) error

	// Snapshot returns every entry of the log that has not expired, in order,
	// and the head that they lead to.
	Snapshot(ctx context.Context) (News, error)

	// Purge removes at most limit expired sessions and at most limit expired
	// log entries and returns how many it removed. It holds no lock for longer
	// than such a batch needs. An expired session leaves no log entry: it has
	// run out by itself.
	Purge(ctx context.Context, limit int) (int, error)

	// Document returns a small named document and its version, or ErrNotFound.
	Document(ctx context.Context, name string) (data []byte, version uint64, err error)

	// SwapDocument writes the document if its version is still the given one
	// (0: it does not exist yet), else ErrConflict. The version counts up.
	SwapDocument(ctx context.Context, name string, version uint64, data []byte) error

	// InProcess reports whether the store is memory of this process: asking it
	// costs no more than remembering what it said, so nobody need remember.
	InProcess() bool

	// Close releases the store. Writes that were acknowledged are safe; methods
	// called later return an error, and never ErrNotFound. Closing again is no
	// error.
	Close() error
}

// A Creation is what [Store.Create] does in one transaction: it checks
// Generation and Replaces, adds the session, ends the replaced one, and ends
// the user's oldest sessions that exceed Limit. Those that end get log entries.
type Creation struct {
	// Session is the record to add. The store stamps Created and LastSeen, and
	// where they are zero AuthTime (if User is set) and Deadline.
	Session Session

	// Lifetime sets Session.Deadline where that is zero: Created + Lifetime.
	Lifetime time.Duration

	// Values are the session's first values; nil: none. Their version is 1.
	Values []byte

	// Inherit copies the values of the replaced session instead, as they are
	// in this transaction: what a request saved a moment before is not lost.
	Inherit bool

	// Refresh starts a family of refresh tokens; zero: none.
	Refresh RefreshSeed

	// Replaces is the live session that the new one takes the place of; zero:
	// none. It ends in the same transaction.
	Replaces SID

	// Generation is what Generation(User) returned when the login began; zero:
	// not checked.
	Generation uint64

	// Limit is how many live sessions the user may have, the new one included;
	// zero: no limit. The ones created first end. It does not apply where User
	// is empty.
	Limit int

	// Retain is how long the log keeps the entries of sessions that end here.
	Retain time.Duration
}

// A Query selects sessions for [Store.List].
type Query struct {
	User  string // of this user; empty: of everybody, anonymous ones too
	After SID    // only ids greater than this; zero: from the first
	Limit int    // at most so many; zero: MaxBatch
}

// A Touch says that a session was used at a time, by the store's clock.
type Touch struct {
	ID SID
	At time.Time
}

// A RefreshSeed starts a family of refresh tokens.
type RefreshSeed struct {
	// Family digests the part that all tokens of a family share. Who has it
	// held one of them once; who only knows a session's id does not.
	Family Digest
	// Current digests the secret of the first token.
	Current Digest
}

// A Rotation exchanges one refresh token for the next.
type Rotation struct {
	ID        SID
	Family    Digest        // of the presented token
	Presented Digest        // of the presented token's secret
	Next      Digest        // of the successor's secret
	Sealed    [32]byte      // the successor's secret, sealed under the presented token
	Grace     time.Duration // how long the predecessor still gets the same successor
	Retain    time.Duration // for the log, where a reuse ends the session
}

// Rotated is the outcome of [Store.RotateRefresh]. The session's LastSeen has
// been moved to AsOf.
type Rotated struct {
	Session Session
	// Replayed: the presented token was rotated before, within the grace.
	// Sealed is then what that first rotation stored; open it with the
	// presented token to get the same successor. Otherwise Rotation.Sealed.
	Replayed bool
	Sealed   [32]byte
}

// Ended is the outcome of ending sessions.
type Ended struct {
	Count int    // how many live sessions it ended
	Head  Cursor // the log's head afterwards; every node that has reached it refuses them
}
