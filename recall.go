package counterfoil

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/store"
)

// A request's session is found in memory: a node keeps the sessions that it has
// seen, and the store's log tells it which to forget. What makes that true is
// the lease of package feed. While it lasts, every end up to a moment ago is
// known here. When it has ended nothing is accepted, neither from memory nor
// because the store says so, until the store has proved that it is the one that
// takes writes: a primary that was deposed still answers reads.

// recallAttempts bounds the loop of recall: one for a proof, one for a session
// whose memory is out of date, and one more.
const recallAttempts = 4

// recall puts a live session into s, where it is to stay: it is large, and each
// copy costs. The session's asOf is a time at which it was live for certain. If
// there is an error, s says nothing.
//
// Errors: ErrEnded, ErrUnavailable.
func (m *Manager) recall(ctx context.Context, id store.SID, s *Session) (recalled, error) {
	if m.asks {
		record, err := m.store.Find(ctx, id)
		s.set(&record)
		return recalled{record.AsOf, record.Secret}, fromStore(err)
	}
	for range recallAttempts {
		check := m.view.Begin() // the lease, before the look-ups
		known := m.seen.get(id)
		ended := m.view.Ended(id)
		now, proven := check.Finish() // the clock, last
		// Nobody is looked for who has ended, however often he comes; and nobody
		// before the proof, so that a store in trouble has that to answer only.
		var found *remembered
		if proven && !ended && known == nil {
			var err error
			if found, err = m.findInTime(ctx, id); err != nil {
				return recalled{}, err
			}
			ended = m.view.Ended(id)
			now, proven = check.Finish()
		}
		switch {
		case !proven:
			if err := m.follower.Prove(ctx); err != nil {
				return recalled{}, wrap(ErrUnavailable, err)
			}
		case ended:
			return recalled{}, ErrEnded
		case check.AllEndedSince(), known != nil && !now.Before(known.session.Expires()):
			m.seen.forget(id) // another node may have seen it since: ask
		case known != nil:
			*s = known.session
			s.asOf = max(s.asOf, toMillis(check.Proved()))
			return recalled{now, known.secret}, nil
		default:
			m.seen.add(check, found)
			*s = found.session
			return recalled{later(now, s.asOf.time()), found.secret}, nil
		}
	}
	return recalled{}, wrap(ErrUnavailable, errOvertaken)
}

// recalled is what recall tells beside the session.
type recalled struct {
	now    time.Time // the store's
	secret store.Digest
}

// findInTime is find for those who wait for an answer. A store that hangs is one
// that can't be reached: the lease that this answer would rest on is over by
// then.
func (m *Manager) findInTime(ctx context.Context, id store.SID) (*remembered, error) {
	ctx, cancel := context.WithTimeout(ctx, max(m.config.Bound, time.Second))
	defer cancel()
	record, err := m.store.Find(ctx, id)
	if err != nil {
		return nil, fromStore(err)
	}
	found := &remembered{secret: record.Secret}
	found.session.set(&record)
	return found, nil
}

var errOvertaken = errors.New("the session's state changes faster than it can be read")

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// now is the store's time as this process knows it; it never decreases.
func (m *Manager) now() time.Time {
	if !m.asks {
		if now := m.view.Now(); !now.IsZero() {
			return now
		}
	}
	return m.clock.Now()
}

// latestNow is a time that now has shown not long ago.
func (m *Manager) latestNow() time.Time {
	if !m.asks {
		if now := m.view.LatestNow(); !now.IsZero() {
			return now
		}
	}
	return m.clock.Recent()
}

// openView makes the view of ended sessions, and where checks rest on it fills
// it, so that the first request finds it proved.
func (m *Manager) openView(ctx context.Context) error {
	m.asks = m.store.InProcess() || m.config.Bound < 0
	if m.config.Bound < 0 {
		m.config.Bound = defaultBound // for streams
	}
	m.seen = newSeen(m.config.MaxRemembered)
	m.view = feed.NewView(feed.Config{
		Bound:   m.config.Bound,
		Hold:    m.retain(),
		OnEnd:   m.onEnd,
		OnReset: m.onReset,
	})
	m.seen.view = m.view
	m.follower = feed.NewFollower(m.view, feed.FromStore(m.store), m.config.Logger)
	m.hub = feed.NewHub(m.view, m.follower)
	m.follower.OnBeat = m.onBeat
	m.follower.OnLapse = func(err error) { m.watchers.cancelAll(wrap(ErrUnavailable, err)) }
	if m.asks {
		return m.readClock(ctx)
	}
	if err := m.firstBeat(ctx); err != nil {
		return err
	}
	m.clock.Advance(m.view.Now())
	return nil
}

// firstBeat proves the view. A beat is a write, and may be repeated where its
// outcome is not known, as after a failover: the node starts all the same.
func (m *Manager) firstBeat(ctx context.Context) error {
	return untilClear(ctx, 150*time.Millisecond, func() error { return m.follower.Beat(ctx) })
}

// follow starts the follower, once. Where the store is asked at each check only
// streams and verifiers need it.
func (m *Manager) follow() {
	m.following.Do(func() {
		if m.background.Err() == nil {
			m.work.Go(func() { m.follower.Run(m.background) })
		}
	})
}

// Feed serves this node's view of ended sessions to those who check tokens
// elsewhere, by package verify or by docs/feed-protocol.md, on the paths
// [feed.StreamPath], [feed.RenewPath] and [feed.SnapshotPath]. Authorize says
// whether a request comes from somebody who may know it; it is asked again while
// a stream is open. LogoutEverywhere waits for them, too.
func (m *Manager) Feed(authorize func(*http.Request) bool) http.Handler {
	m.follow()
	m.feeding.Do(func() {
		if m.background.Err() == nil {
			m.work.Go(func() { m.hub.Run(m.background) })
		}
	})
	return m.hub.Handler(authorize)
}

// onEnd is called when the view has learned of an end.
func (m *Manager) onEnd(e store.Entry) {
	if e.Kind == store.AllEnded {
		m.seen.forgetAll()
		m.watchers.cutAt(e.Session.Time())
		return
	}
	m.seen.forget(e.Session)
	m.watchers.cancel(e.Session, ErrEnded)
}

// onReset is called when ends may have been missed.
func (m *Manager) onReset() {
	m.seen.forgetAll()
	m.watchers.doubtAll()
}

func (m *Manager) onBeat() {
	m.watchers.tend()
	if m.config.OnBeat != nil {
		m.config.OnBeat(m.Status())
	}
}

// refuseNow makes this process refuse a session that it has ended, before the
// log tells.
func (m *Manager) refuseNow(id store.SID) {
	m.watchers.cancel(id, ErrEnded)
	if !m.asks {
		m.view.End(id)
	}
}

// catchUp makes this process refuse everything that ended up to a place in the
// log, when it has ended many sessions at once.
func (m *Manager) catchUp(ctx context.Context, head store.Cursor) {
	if !m.asks {
		m.follower.CatchUp(ctx, head)
	}
}

// Status is the state of this process's view of ended sessions.
type Status struct {
	// Status is zero where the store is asked at every check, until a stream or
	// a verifier needs the view all the same.
	feed.Status
	// Canary is how long the latest canary was accepted after its logout; zero:
	// none was measured. See Config.Canary.
	Canary time.Duration
}

// Status says how fresh this process's view of ended sessions is, for metrics
// and for readiness.
func (m *Manager) Status() Status {
	return Status{Status: m.view.Status(), Canary: time.Duration(m.canary.Load())}
}

// Ready returns nil if this process can judge requests: its lease lasts, or a
// new proof can be had.
//
// Errors: ErrUnavailable.
func (m *Manager) Ready(ctx context.Context) error {
	if m.asks {
		_, err := m.Generation(ctx, "nobody")
		return err
	}
	if err := m.follower.Prove(ctx); err != nil {
		return wrap(ErrUnavailable, err)
	}
	return nil
}
