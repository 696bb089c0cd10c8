package outbox

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

const (
	maxPolled   = 100              // events in one answer
	maxAcks     = 1000             // in one request
	longestPoll = 20 * time.Second // less than the server's time-out for answers
	maxPolls    = 64               // that wait at a time; each looks once a second
)

// A PollRequest is what a receiver sends (RFC 8936 section 2.2).
type PollRequest struct {
	MaxEvents         *int                 `json:"maxEvents"` // nil: 100, which is the most
	ReturnImmediately bool                 `json:"returnImmediately"`
	Ack               []string             `json:"ack"`
	SetErrs           map[string]PollError `json:"setErrs"`
}

// A PollError says why the receiver does not take an event.
type PollError struct {
	Err         string `json:"err"`
	Description string `json:"description"`
}

// A PollAnswer is what it gets.
type PollAnswer struct {
	Sets          map[string]string `json:"sets"`
	MoreAvailable bool              `json:"moreAvailable,omitempty"`
}

// Valid reports whether the request keeps to its limits: 1000 acknowledgements, of
// texts that every database takes.
func (r *PollRequest) Valid() bool {
	ids := slices.AppendSeq(slices.Clone(r.Ack), maps.Keys(r.SetErrs))
	hasNUL := func(id string) bool { return strings.Contains(id, "\x00") }
	return len(ids) <= maxAcks && !slices.ContainsFunc(ids, hasNUL) && (r.MaxEvents == nil || *r.MaxEvents >= 0)
}

// Poll answers a client that fetches its events. What it acknowledges is done
// with; what it refuses is dead, and waits for an operator. Where there is
// nothing, it waits for 20 seconds unless the client wants an answer at once, or
// too many others wait. Events
// come again until they are acknowledged.
func (o *Outbox) Poll(ctx context.Context, client string, r PollRequest) (PollAnswer, error) {
	if err := o.acknowledge(ctx, client, r); err != nil {
		return PollAnswer{}, err
	}
	limit := maxPolled
	if r.MaxEvents != nil {
		limit = min(*r.MaxEvents, maxPolled)
	}
	select {
	case o.polls <- struct{}{}:
		defer func() { <-o.polls }()
	default:
		r.ReturnImmediately = true // too many wait already
	}
	deadline := time.NewTimer(longestPoll)
	defer deadline.Stop()
	for {
		changed := o.pollable()
		answer, err := o.events(ctx, client, limit)
		if err != nil || len(answer.Sets) > 0 || r.ReturnImmediately || limit == 0 {
			return answer, err
		}
		look := time.NewTimer(collectInterval) // another server may note something
		select {
		case <-changed:
		case <-look.C:
		case <-deadline.C:
			look.Stop()
			return answer, nil
		case <-ctx.Done():
			look.Stop()
			return answer, nil
		}
		look.Stop()
	}
}

func (o *Outbox) acknowledge(ctx context.Context, client string, r PollRequest) error {
	if len(r.Ack)+len(r.SetErrs) == 0 {
		return nil
	}
	return o.db.Write(ctx, []string{subject + client}, func(tx *database.Tx) error {
		for _, id := range r.Ack {
			if _, err := tx.Exec(ctx, sqlTaken, id, client, Poll); err != nil {
				return err
			}
		}
		for id, e := range r.SetErrs {
			cause := "the receiver refused it: " + line(e.Err+" "+e.Description, maxCause)
			if _, err := tx.Exec(ctx, sqlRefused, cause, id, client, Poll); err != nil {
				return err
			}
		}
		return nil
	})
}

// events returns the oldest events that the client has not acknowledged.
func (o *Outbox) events(ctx context.Context, client string, limit int) (PollAnswer, error) {
	var waiting []Message
	if err := o.db.Each(ctx, readMessages(&waiting), sqlOldest, client, Poll, limit+1); err != nil {
		return PollAnswer{}, err
	}
	answer := PollAnswer{Sets: map[string]string{}, MoreAvailable: len(waiting) > limit}
	for _, m := range waiting[:min(len(waiting), limit)] {
		signed, err := o.sign(m)
		if err != nil {
			return PollAnswer{}, err
		}
		answer.Sets[m.ID] = signed
	}
	return answer, nil
}

// pollable returns a channel that is closed when there may be something new.
func (o *Outbox) pollable() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

func (o *Outbox) tellPollers() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
}
