package counterfoil

import (
	"context"
	"errors"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/store"
)

// Logout ends the request's session, in the store and at once: when it returns
// nil, the cookie, the access tokens and the refresh tokens of the session are
// dead, and no request that is under way can bring it back. Other nodes and
// verifiers refuse them within Config.Bound; [Manager.LogoutEverywhere] waits
// for that. Without a session it ends nothing and returns nil.
//
// The answer takes the cookie out of the browser and, by Clear-Site-Data, all else
// that the browser keeps of the site: other cookies, storage and cache.
//
// It goes on when the client hangs up, so that a logout that was asked for
// happens.
//
// Errors: ErrNoHandler; ErrCommitted; ErrUnavailable and ErrIndeterminate, after
// which the session may live: tell the user that he is not logged out.
func (m *Manager) Logout(ctx context.Context) error {
	_, err := m.logout(ctx)
	return err
}

// LogoutEverywhere is Logout, and returns nil only when no node and no verifier
// accepts the session any more: when all of them have acknowledged its end, or
// could not be answering from memory any longer. That takes a few milliseconds,
// and Config.Bound, by the slowest clock, at most. Requests that were let in
// before may still be under way.
//
// Errors: as Logout.
func (m *Manager) LogoutEverywhere(ctx context.Context) error {
	head, err := m.logout(ctx)
	if err == nil {
		feed.Everywhere(ctx, m.store, m.view, head.Pos)
	}
	return err
}

// logout returns the place in the log up to which the session's end is written.
func (m *Manager) logout(ctx context.Context) (head store.Cursor, err error) {
	x, err := m.exchange(ctx)
	if err != nil {
		return head, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.committed && x.via != viaBearer {
		return head, x.tooLate("logout")
	}
	if s := x.session(); !s.id.IsZero() {
		ended, err := m.endLine(ctx, s)
		if err != nil {
			return head, err
		}
		head = ended.Head
		m.emitFor(ctx, LoggedOut, s)
	}
	if x.via != viaBearer {
		x.cookieAction = cookieExpire
	}
	x.who.Store(noSession)
	x.cookie, x.unsaved = "", false
	if r := x.rare; r != nil { // what outer handlers had set stays
		r.newSecret, r.values, r.changes = nil, values{}, nil
	}
	return head, nil
}

// End ends any session by its id, for an operator. A session that has ended
// already is no error.
//
// Errors: ErrNotFound if that is no session id; ErrUnavailable,
// ErrIndeterminate.
func (m *Manager) End(ctx context.Context, id string) error {
	sid, err := store.ParseSID(id)
	if err != nil {
		return wrap(ErrNotFound, err)
	}
	s, err := m.find(ctx, sid)
	if errors.Is(err, ErrEnded) {
		// So a read says, which a primary that was deposed still answers.
		s, err = &Session{id: sid}, nil
	}
	if err != nil {
		return err
	}
	return m.endFound(ctx, s)
}

func (m *Manager) endFound(ctx context.Context, s *Session) error {
	ended, err := m.endLine(ctx, s)
	if err != nil {
		return err
	}
	if ended.Count > 0 {
		m.emit(ctx, Event{Kind: SessionsEnded, Session: s.ID(), User: s.user, Name: s.name, Count: ended.Count})
	}
	return nil
}

// EndOwn ends a session of the request's own user (ASVS 7.5.2). For the one at
// hand there is Logout, which takes the cookie out of the browser as well.
//
// Errors: as End, ErrNoHandler, and ErrNotFound if the session is not his.
func (m *Manager) EndOwn(ctx context.Context, id string) error {
	x, err := m.exchange(ctx)
	if err != nil {
		return err
	}
	user := x.session().user
	sid, err := store.ParseSID(id)
	if err != nil || user == "" {
		return ErrNotFound
	}
	s, err := m.find(ctx, sid)
	if errors.Is(err, ErrEnded) || (err == nil && s.user != user) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	return m.endFound(ctx, s)
}

// EndOthers ends all sessions of the request's user but the one at hand, and
// returns how many there were. A login of his that is under way fails, too.
//
// Errors: ErrNoSession if nobody is logged in; ErrUnavailable, ErrIndeterminate.
func (m *Manager) EndOthers(ctx context.Context) (int, error) {
	x, err := m.exchange(ctx)
	if err != nil {
		return 0, err
	}
	session := x.session()
	if !session.Active() {
		return 0, ErrNoSession
	}
	return m.endUser(ctx, session.User(), session.id)
}

// EndUser ends all sessions of a user, and returns how many there were: when he
// is disabled or deleted, or his credentials change (ASVS 7.4.2). A login of
// his that is under way fails, too.
//
// Errors: ErrNotFound if user is empty, which names nobody; ErrUnavailable,
// ErrIndeterminate.
func (m *Manager) EndUser(ctx context.Context, user string) (int, error) {
	if user == "" {
		return 0, ErrNotFound
	}
	return m.endUser(ctx, user, store.SID{})
}

func (m *Manager) endUser(ctx context.Context, user string, except store.SID) (int, error) {
	ended, err := m.insist(ctx, func(ctx context.Context) (store.Ended, error) {
		return m.store.EndUser(ctx, user, except, m.retain())
	})
	if err != nil {
		return 0, err
	}
	m.catchUp(ctx, ended.Head)
	m.watchers.cancelUser(user, except, ErrEnded)
	m.emit(ctx, Event{Kind: SessionsEnded, User: user, Count: ended.Count})
	return ended.Count, nil
}

// EndAll ends every session of everybody. It returns how many there were, or -1
// where the store can't count them cheaply.
//
// Errors: ErrUnavailable, ErrIndeterminate.
func (m *Manager) EndAll(ctx context.Context) (int, error) {
	ended, err := m.insist(ctx, func(ctx context.Context) (store.Ended, error) {
		return m.store.EndAll(ctx, m.retain())
	})
	if err != nil {
		return 0, err
	}
	m.catchUp(ctx, ended.Head)
	m.watchers.cancelAll(ErrEnded)
	m.emit(ctx, Event{Kind: SessionsEnded, Count: ended.Count})
	return ended.Count, nil
}

// Sessions returns the live sessions of a user, oldest first and at most
// store.MaxBatch; the request's own is marked (ASVS 7.5.2).
//
// Errors: ErrUnavailable.
func (m *Manager) Sessions(ctx context.Context, user string) ([]*Session, error) {
	if user == "" {
		return nil, nil
	}
	records, err := m.store.List(ctx, store.Query{User: user})
	if err != nil {
		return nil, fromStore(err)
	}
	mine := FromContext(ctx).id
	sessions := make([]*Session, len(records))
	for i := range records {
		sessions[i] = newSession(&records[i])
		sessions[i].current = records[i].ID == mine
	}
	return sessions, nil
}

// endLine ends a session that was live a moment ago. If it was not any more, a
// concurrent request may have put another in its place, by Rotate or a second
// login; that one belongs to the same line and ends as well.
func (m *Manager) endLine(ctx context.Context, s *Session) (store.Ended, error) {
	ended, err := m.end(ctx, s)
	if err != nil || ended.Count > 0 || s.user == "" {
		return ended, err
	}
	count := 0
	for range endAttempts {
		next, err := m.successor(ctx, s)
		if err != nil || next == nil {
			return store.Ended{Count: count, Head: ended.Head}, err
		}
		if ended, err = m.end(ctx, next); err != nil {
			return store.Ended{}, err
		}
		count += ended.Count
	}
	return store.Ended{}, ErrIndeterminate // it is replaced again and again
}

// successor returns a live session of the same line, or nil.
func (m *Manager) successor(ctx context.Context, s *Session) (*Session, error) {
	records, err := m.store.List(ctx, store.Query{User: s.user})
	if err != nil {
		return nil, fromStore(err)
	}
	for i := range records {
		if next := newSession(&records[i]); next.line() == s.line() {
			return next, nil
		}
	}
	return nil, nil
}

// line is the id of the first session in a line: see store.Session.Lineage.
func (s *Session) line() store.SID {
	if s.lineage == nil {
		return s.id
	}
	return *s.lineage
}

func (m *Manager) end(ctx context.Context, s *Session) (store.Ended, error) {
	ended, err := m.insist(ctx, func(ctx context.Context) (store.Ended, error) {
		return m.store.End(ctx, s.id, m.retain())
	})
	if err != nil {
		return ended, err
	}
	if ended.Count > 0 {
		m.refuseNow(s.id)
		return ended, nil
	}
	m.catchUp(ctx, ended.Head) // others have ended it, and the log up to there says so
	m.watchers.cancel(s.id, ErrEnded)
	if m.knowsEnd(s) {
		return ended, nil
	}
	return m.endLost(ctx, s)
}

// knowsEnd reports whether this process refuses the session, and so does
// everybody else who has read the log as far. Of a session that was not found,
// nothing is known either way, and nobody here remembers it.
func (m *Manager) knowsEnd(s *Session) bool {
	return m.asks || s.created == 0 || m.view.Ended(s.id) || !s.Created().After(m.view.Cut())
}

// endLost ends a session that the store does not know, and of whose end the log
// does not tell either: the store has lost it, or it has expired. Other nodes and
// verifiers may go on with it, so they are told all the same.
func (m *Manager) endLost(ctx context.Context, s *Session) (store.Ended, error) {
	ended, err := m.insist(ctx, func(ctx context.Context) (store.Ended, error) {
		entry := store.Entry{Kind: store.SessionEnded, Session: s.id, Expires: m.now().Add(m.retain())}
		if err := m.store.Merge(ctx, []store.Entry{entry}); err != nil {
			return store.Ended{}, err
		}
		return m.store.End(ctx, s.id, m.retain()) // for the head, which has come that far
	})
	if err == nil {
		m.refuseNow(s.id)
	}
	return ended, err
}

const (
	endTimeout  = 10 * time.Second
	endAttempts = 5
)

// insist carries an ending through: it does not stop because the client hangs
// up, and it repeats one whose outcome is unknown, which changes nothing where
// it had happened.
func (m *Manager) insist(ctx context.Context, end func(context.Context) (store.Ended, error)) (store.Ended, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	var ended store.Ended
	err := untilClear(ctx, 20*time.Millisecond, func() (err error) {
		ended, err = end(ctx)
		return err
	})
	if err != nil {
		m.report(ctx, "sessions could not be ended", err)
	}
	return ended, fromStore(err)
}

// untilClear repeats a write whose outcome is not known, a few times, and rests
// for a step longer each time.
func untilClear(ctx context.Context, step time.Duration, write func() error) (err error) {
	for attempt := range endAttempts {
		if err = write(); !errors.Is(err, store.ErrIndeterminate) {
			return err
		}
		if pause(ctx, time.Duration(attempt+1)*step) != nil {
			return err
		}
	}
	return err
}
