// Package outbox tells registered clients which sessions have ended: by OpenID
// Connect Back-Channel Logout 1.0, and by CAEP session-revoked events (Security
// Event Tokens, RFC 8417), pushed (RFC 8935) or polled (RFC 8936).
//
// For most uses, [Open] it on the users' database and call [Outbox.Run]; a
// client that polls is answered by [Outbox.Poll].
//
// # How nothing is lost
//
// The store's log of ended sessions is read from a place on record, and the
// messages that follow from its entries are written down together with the new
// place, in one transaction. A message stays until its receiver has taken it. So
// each is delivered at least once, whatever process is killed whenever, as long
// as a server runs again before the log forgets: for a token's life and two
// minutes. A receiver may be told twice; the jti is the same then, and logging
// out twice is no harm.
//
// A message that is refused again and again, or that nobody takes for days, is
// dead: it waits for an operator, who looks at it with "counterfoil outbox list"
// and sends it once more with "counterfoil outbox replay".
//
// Any number of servers work on one outbox. None is in charge: they claim
// messages, for a while each, and what a server claimed that died is claimed
// again.
package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store"
)

// A Way is how a receiver is told.
type Way string

// The ways.
const (
	Logout Way = "logout" // OpenID Connect Back-Channel Logout: a logout token, posted
	Push   Way = "push"   // CAEP session-revoked, posted (RFC 8935)
	Poll   Way = "poll"   // CAEP session-revoked, fetched by the receiver (RFC 8936)
)

// A Receiver is a client that is to be told.
type Receiver struct {
	Client string // its id, the aud of what it gets
	Way    Way
	URL    string // where to post; empty for Poll
}

// A Config says what an [Outbox] reads, whom it tells, and how. Log, Receivers
// and Sign are required to run it; to look at it, none is.
type Config struct {
	// Log is the store whose ended sessions are told of.
	Log interface {
		Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error)
		Snapshot(ctx context.Context) (store.News, error)
	}

	// Receivers returns who is to be told. It is asked often.
	Receivers func(context.Context) ([]Receiver, error)

	// Issuer is the iss of what is sent, and Sign signs it.
	Issuer func() string
	Sign   func(typ string, claims any) (string, error)

	// Allowed are networks in which receivers may be although they are
	// loopback, private, or otherwise not on the internet. Empty: none, so that
	// nobody makes the server call what only the server can reach.
	Allowed []netip.Prefix

	// Logger is told what an operator should see. Nil: slog.Default().
	Logger *slog.Logger
}

// An Outbox keeps what is to be told. Its methods are safe for concurrent use;
// many processes may have the same one open.
type Outbox struct {
	config Config
	db     *database.DB
	log    *slog.Logger
	poster *poster
	wake   chan struct{} // there may be something to collect
	due    chan struct{} // there may be something to post

	maxWaiting int64 // messages for one receiver

	posting sync.WaitGroup // those who post to receivers
	slots   chan struct{}  // one for each post under way
	polls   chan struct{}  // one for each client that waits for events

	mu      sync.Mutex
	taken   map[Receiver]bool  // somebody posts to them
	pauses  map[Receiver]pause // they can't be reached
	changed chan struct{}      // closed when there may be something to poll
}

// Open makes the tables where they are missing. The database is its owner's to
// close, after Run has ended.
func Open(ctx context.Context, db *database.DB, c Config) (*Outbox, error) {
	if err := db.Make(ctx, tables); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	o := &Outbox{
		config: c,
		db:     db,
		log:    cmp.Or(c.Logger, slog.Default()),
		poster: newPoster(c.Allowed),
		wake:   make(chan struct{}, 1),
		due:    make(chan struct{}, 1),
		slots:  make(chan struct{}, postsAll),
		polls:  make(chan struct{}, maxPolls),

		maxWaiting: maxWaiting,
		taken:      map[Receiver]bool{},
		pauses:     map[Receiver]pause{},
		changed:    make(chan struct{}),
	}
	return o, nil
}

// Run collects and delivers until ctx ends. What it is posting then is given up,
// and posted again by whoever runs next.
func (o *Outbox) Run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() {
		o.repeat(ctx, o.wake, collectInterval, "ended sessions could not be noted for those who are to be told", o.collectAll)
	})
	work.Go(func() {
		o.repeat(ctx, o.due, deliverInterval, "messages about ended sessions could not be read", o.deliverDue)
	})
	work.Go(func() {
		o.repeat(ctx, nil, forgetInterval, "messages for clients that were removed could not be removed", o.forgetGone)
	})
	work.Wait()
	o.posting.Wait()
	o.poster.close()
}

// Wake makes Run look at the log now instead of within a second. Call it when a
// session has ended here.
func (o *Outbox) Wake() { rouse(o.wake) }

func rouse(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// repeat calls do at that interval, and when it is woken. It reports a failure
// that lasts once.
func (o *Outbox) repeat(ctx context.Context, wake <-chan struct{}, every time.Duration, what string, do func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for {
		err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			o.log.ErrorContext(ctx, what, "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

// ErrNotFound: there is no such message.
var ErrNotFound = errors.New("outbox: there is no such message: counterfoil outbox list shows them")
