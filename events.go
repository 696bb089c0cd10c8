package counterfoil

import (
	"context"
)

// An EventKind says what happened.
type EventKind string

// The kinds of events, for Config.OnEvent.
const (
	LoggedIn       EventKind = "login"           // a user has logged in
	LoggedOut      EventKind = "logout"          // a session has been logged out; without User nobody was logged in
	SessionsEnded  EventKind = "sessions_ended"  // sessions were ended by their user or an operator: Count of them
	RequestRefused EventKind = "request_refused" // Err says why
	TokenIssued    EventKind = "token_issued"    // an access token was signed
	TokenRefreshed EventKind = "token_refreshed" // a refresh token was exchanged
	TokenReused    EventKind = "token_reused"    // a used refresh token came again: its session was ended
	StoreFailed    EventKind = "store_failed"    // the store did not answer: Err
	KeyRotated     EventKind = "key_rotated"     // a new signing key was published
)

// An Event is something that an audit log, a metric or an alert wants to know.
// It holds no secret. User, Name and Address may come from the client: escape
// them.
type Event struct {
	Kind    EventKind
	Session string // the session's id; empty: none, or many
	User    string // his id; empty: nobody, or not known
	Name    string // his name for display
	Address string // of a refused request; else where the session began, if known
	Count   int    // of SessionsEnded; -1: the store can't count them cheaply
	Err     error  // of RequestRefused and StoreFailed: the reason
}

func (m *Manager) emit(ctx context.Context, e Event) { m.config.OnEvent(ctx, e) }

func (m *Manager) emitFor(ctx context.Context, kind EventKind, s *Session) {
	m.emit(ctx, Event{Kind: kind, Session: s.ID(), User: s.user, Name: s.name, Address: s.address})
}

// report tells the operator about a failure that no answer tells in full.
func (m *Manager) report(ctx context.Context, what string, err error) {
	m.config.Logger.ErrorContext(ctx, what, "error", err)
	m.emit(ctx, Event{Kind: StoreFailed, Err: err})
}

// reportIf is report for background work: its end by Close is no failure.
func (m *Manager) reportIf(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		m.report(ctx, what, err)
	}
}
