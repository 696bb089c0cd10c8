package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A Source is where the log comes from: the store itself, see [FromStore], or a
// node that follows it. Its methods are those of [store.Store]; what they
// return besides is said here.
type Source interface {
	// Beat returns the age of the proof as well: for how long before it answers
	// the source had it. Zero from a store.
	Beat(ctx context.Context, b store.Beat) (news store.News, age time.Duration, err error)
	Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error)
	Snapshot(ctx context.Context) (store.News, error)
	// Watch may hand entries over with a hint, and the place in the log that
	// they follow on. Nil: follow.
	Watch(ctx context.Context, hint HintFunc) error
	// Merge returns errors.ErrUnsupported where the source takes nothing.
	Merge(ctx context.Context, entries []store.Entry) error
}

// A HintFunc is told that the log has grown, and perhaps by what.
type HintFunc func(h store.Hint, after store.Cursor, entries []store.Entry)

// FromStore returns the store as a Source.
func FromStore(s store.Store) Source { return fromStore{s} }

type fromStore struct{ store.Store }

func (f fromStore) Beat(ctx context.Context, b store.Beat) (store.News, time.Duration, error) {
	news, err := f.Store.Beat(ctx, b)
	return news, 0, err
}

func (f fromStore) Watch(ctx context.Context, hint HintFunc) error {
	return f.Store.Watch(ctx, func(h store.Hint) { hint(h, store.Cursor{}, nil) })
}

// A Follower keeps a [View] fresh. Make it with [NewFollower] and call
// [Follower.Run].
type Follower struct {
	view   *View
	source Source
	node   store.NodeID
	log    *slog.Logger

	// Acked returns up to which position those who follow this process refuse
	// what has ended, at most pos. Nil: nobody does. OnLapse is called when the
	// lease has ended, or is about to end before another proof can come. OnBeat
	// is called after each proof. OnNudge is called when somebody waits until
	// everybody refuses what has ended up to the view's position: ask those who
	// follow this process for their acknowledgement. Set them before Run.
	Acked   func(pos uint64) uint64
	OnLapse func(error)
	OnBeat  func()
	OnNudge func()

	turn      chan struct{} // held by who beats
	last      outcome       // of the latest beat; guarded by turn
	now       chan struct{} // rouses the beat
	lostPlace bool          // the latest beat has found it, and said so; guarded by turn
}

// NewFollower makes the follower of a view. The logger is told when the lease
// ends and when it is there again; nil: slog.Default().
func NewFollower(v *View, s Source, log *slog.Logger) *Follower {
	if log == nil {
		log = slog.Default()
	}
	return &Follower{view: v, source: s, node: store.NewNodeID(), log: log, turn: make(chan struct{}, 1), now: make(chan struct{}, 1)}
}

// An outcome is how a beat ended.
type outcome struct {
	began, ended instant
	err          error
}

// beatsPerBound is how often a proof is asked for while a lease lasts: so a few
// of them may fail.
const beatsPerBound = 5

// Run follows the source until ctx ends. Its two loops have ended then, and the
// lease runs out by itself.
func (f *Follower) Run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() { f.watch(ctx) })
	f.beats(ctx)
	work.Wait()
}

// failuresToTell is when a failure that lasts is told of once more: what began it
// may have been another, such as a node that was only starting.
const failuresToTell = 15

// refusedPause is how long to wait before asking again whoever refuses the client:
// each time stands in his log.
const refusedPause = 5 * time.Second

// beats asks for a proof again and again.
func (f *Follower) beats(ctx context.Context) {
	interval := f.view.config.Bound / beatsPerBound
	failures := 0
	for ctx.Err() == nil {
		begun := f.view.clock.now()
		err := f.Beat(ctx)
		wait := f.untilNext(interval) - (f.view.clock.now() - begun)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failures == 0 || failures == failuresToTell {
				f.log.Warn("the log of ended sessions could not be followed; nothing is proven any more when the lease ends", "error", err, "failures", failures+1)
			}
			wait = min(interval/8<<min(failures, 3), interval)
			if failures >= failuresToTell && errors.Is(err, errDenied) {
				wait = max(wait, refusedPause)
			}
			failures++
		case failures > 0:
			f.log.Info("the log of ended sessions is followed again", "failures", failures)
			failures = 0
		}
		f.lapse(err, wait)
		f.pause(ctx, wait)
	}
}

// leastPause bounds how often a proof is asked for that is nearly too old.
const leastPause = 50 * time.Millisecond

// untilNext is how long to wait for the next beat: less than usual where the
// lease is shorter, since the bound of the node that is followed is.
func (f *Follower) untilNext(interval time.Duration) time.Duration {
	left := f.view.Status().Left
	if left <= 0 {
		return interval
	}
	return min(interval, max(left/(beatsPerBound-1), min(interval/8, leastPause)))
}

// leastPatience is how long a beat is waited for at least, as a part of the
// bound.
const leastPatience = 20

// lapse tells those who wait for it that the lease ends, once it may before
// another proof can come.
func (f *Follower) lapse(err error, wait time.Duration) {
	if f.OnLapse == nil || f.view.Status().Left > wait+f.view.config.Bound/leastPatience {
		return
	}
	f.OnLapse(cmp.Or(err, errStale))
}

// pause waits, until somebody needs a beat.
func (f *Follower) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.now:
	case <-ctx.Done():
	}
}

// BeatNow makes Run beat at once instead of at the next interval. It does not
// wait for it, and may be called at any time.
func (f *Follower) BeatNow() {
	select {
	case f.now <- struct{}{}:
	default: // it is about to
	}
}

// untilLapse bounds a beat, which may read many pages, by the end of the lease,
// so that those who wait for that are told. Where there is none, there is time.
func (f *Follower) untilLapse(ctx context.Context) (context.Context, context.CancelFunc) {
	if left := f.view.Status().Left; left > 0 {
		return context.WithTimeout(ctx, max(left, f.view.config.Bound/leastPatience))
	}
	return context.WithCancel(ctx)
}

// patience is how long one answer is waited for: after a connection that hangs
// there is time for another.
func (f *Follower) patience() time.Duration { return f.view.config.Bound / 2 }

const (
	// maxPages bounds how much is caught up at once.
	maxPages = 1000

	// snapshotPatience is how long a snapshot is waited for. It may be 50 MB.
	snapshotPatience = time.Minute
)

// Beat catches up with the source and asks for a proof of it. Run does so again
// and again. It is safe for concurrent use: beats take turns.
func (f *Follower) Beat(ctx context.Context) error {
	if err := f.takeTurn(ctx); err != nil {
		return err
	}
	defer f.endTurn()
	return f.beatInTurn(ctx)
}

func (f *Follower) takeTurn(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Follower) endTurn() { <-f.turn }

// Prove sees to a lease that has not ended. Of those who call it at the same
// time one asks the source, and all of them get what he was told. While the
// source does not answer it returns the latest error at once, so that nobody
// waits in a queue for what won't come.
func (f *Follower) Prove(ctx context.Context) error {
	if f.view.Status().Proven {
		return nil
	}
	asked := f.view.clock.now()
	if err := f.takeTurn(ctx); err != nil {
		return err
	}
	defer f.endTurn()
	if f.view.Status().Proven {
		return nil
	}
	retry := f.view.config.Bound / beatsPerBound
	if l := f.last; l.err != nil && (l.began >= asked || f.view.clock.now()-l.ended < retry) {
		return l.err
	}
	return f.beatInTurn(ctx)
}

// CatchUp applies the log up to a place without waiting for the next beat. Where
// it can't, it ends the lease, so that the next check asks for a proof that
// reaches as far.
func (f *Follower) CatchUp(ctx context.Context, head store.Cursor) {
	for range maxPages {
		if _, known := f.view.holds(head); known {
			return
		}
		history, cursor, _ := f.view.place()
		if cursor.Pos >= head.Pos {
			break // the view stands in another history, or was there long ago
		}
		news, err := f.follow(ctx, cursor)
		if err != nil || f.view.apply(history, cursor, news.Entries) != nil || len(news.Entries) == 0 {
			break
		}
	}
	f.view.require(head.Pos)
}

// beatInTurn is called with the turn taken.
func (f *Follower) beatInTurn(ctx context.Context) error {
	began := f.view.clock.now()
	err := f.beatThrough(ctx)
	f.last = outcome{began: began, ended: f.view.clock.now(), err: err}
	if ctx.Err() != nil {
		f.last.err = nil // he who asked has gone, or had no more time; that says nothing about the source
	}
	return err
}

// beatThrough beats until there are no more pages.
func (f *Follower) beatThrough(ctx context.Context) error {
	if f.view.clock.jumped() {
		f.log.Warn("the clock was set or the machine was paused; checks ask for a new proof")
		f.view.Drop()
	}
	f.view.set.prune(f.view.Now())
	ctx, cancel := f.untilLapse(ctx)
	defer cancel()
	begun := f.view.clock.now()
	rebuilt := false // once is enough: a source may contradict itself forever
	for range maxPages {
		if _, _, synced := f.view.place(); !synced {
			if err := f.rebuild(ctx); err != nil {
				return err
			}
			rebuilt = true
		}
		proven, err := f.beat(ctx)
		switch {
		case !rebuilt && (errors.Is(err, store.ErrUnknownCursor) || errors.Is(err, errGap)):
			if !f.lostPlace {
				f.log.Warn("the log of ended sessions does not go on where it was; it is read anew", "why", err)
			}
			f.lostPlace, rebuilt = true, true
			err = f.rebuild(ctx)
		case proven && err == nil:
			f.lostPlace = false
			err = f.giveBack(ctx, begun)
			if f.OnBeat != nil {
				f.OnBeat()
			}
			return err
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("feed: the log grows faster than it can be followed")
}

// beat reads one page. It reports whether that was the last, and the lease
// extended.
func (f *Follower) beat(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	held := f.view.lease.Load()
	history, cursor, _ := f.view.place()
	acked := cursor.Pos
	if f.Acked != nil {
		acked = min(acked, f.Acked(acked))
	}
	sent := f.view.clock.now() // before the question: the answer proves nothing about later
	news, age, err := f.source.Beat(ctx, store.Beat{
		Node:  f.node,
		Bound: f.view.config.Bound,
		After: cursor,
		Acked: acked,
		Limit: store.MaxBatch,
	})
	if err != nil {
		return false, err
	}
	f.view.store.set(news.Now, sent)
	if err := f.view.apply(history, cursor, news.Entries); err != nil {
		return false, err
	}
	proven := f.view.extend(history, news.Head, held, lease{sent: sent, age: age, proved: news.Now.Add(-age)})
	if _, at, _ := f.view.place(); !proven && at == cursor {
		return false, errGap // it names a head and does not lead there
	}
	return proven, nil
}

// rebuild begins anew with a snapshot.
func (f *Follower) rebuild(ctx context.Context) error {
	sent := f.view.clock.now()
	ctx, cancel := context.WithTimeout(ctx, snapshotPatience)
	defer cancel()
	snapshot, err := f.source.Snapshot(ctx)
	if err != nil {
		return err
	}
	f.view.store.set(snapshot.Now, sent)
	return f.view.reset(snapshot)
}

// mergeBatch is how many entries are given back at once.
const mergeBatch = 1000

// giveBack hands over what the source has lost, as the proof shows that was
// asked for at that instant: until it is time for the next proof, after which it
// goes on. A source that takes nothing says errors.ErrUnsupported.
func (f *Follower) giveBack(ctx context.Context, sent instant) error {
	for batch := range slices.Chunk(f.view.lost(sent), mergeBatch) {
		err := f.merge(ctx, batch)
		unsupported := errors.Is(err, errors.ErrUnsupported)
		if err != nil && !unsupported {
			return fmt.Errorf("feed: give back what the store has lost: %w", err)
		}
		f.view.gaveBack(batch, !unsupported)
		if !unsupported {
			f.log.Warn("the store had lost ended sessions, by a failover or a restore; they were given back", "count", len(batch))
		}
		if f.view.clock.now()-sent >= f.view.config.Bound/beatsPerBound {
			break
		}
	}
	return nil
}

func (f *Follower) merge(ctx context.Context, entries []store.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	return f.source.Merge(ctx, entries)
}

// watch listens for hints, again and again.
func (f *Follower) watch(ctx context.Context) {
	interval := f.view.config.Bound / beatsPerBound
	level := slog.LevelWarn
	for ctx.Err() == nil {
		begun := f.view.clock.now()
		err := f.source.Watch(ctx, func(h store.Hint, after store.Cursor, entries []store.Entry) {
			f.hinted(ctx, h, after, entries)
		})
		if f.view.clock.now()-begun > time.Minute {
			level = slog.LevelWarn // it was heard for a while
		}
		if err != nil && ctx.Err() == nil {
			f.log.Log(ctx, level, "hints about ended sessions are not heard; they are read at each beat", "error", err)
			level = slog.LevelDebug
		}
		wait := interval
		if errors.Is(err, errDenied) {
			wait = max(wait, refusedPause)
		}
		// Not all at once after a restart of the source.
		pause(ctx, wait/2+rand.N(wait))
	}
}

// hinted looks at the log. It never extends the lease.
func (f *Follower) hinted(ctx context.Context, h store.Hint, after store.Cursor, entries []store.Entry) {
	history, cursor, synced := f.view.place()
	if !synced {
		return // the first beat is about to read everything
	}
	if entries == nil {
		news, err := f.follow(ctx, cursor)
		if err != nil {
			f.BeatNow() // which will see for itself, and say what is wrong
			return
		}
		after, entries = cursor, news.Entries
	}
	err := f.view.apply(history, after, entries)
	if h == store.BeatNow && f.OnNudge != nil {
		f.OnNudge()
	}
	if err != nil || h == store.BeatNow {
		f.BeatNow()
	}
}

// follow reads a page without asking for a proof.
func (f *Follower) follow(ctx context.Context, after store.Cursor) (store.News, error) {
	ctx, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	return f.source.Follow(ctx, after, store.MaxBatch)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
