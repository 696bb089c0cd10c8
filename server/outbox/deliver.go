package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

const (
	deliverInterval = time.Second

	claimBatch = 8                // messages that one server holds for one receiver
	claimTime  = 15 * time.Second // after which they are another's: more than the batch can take
	postsEach  = 4                // posts at once to one receiver
	postsAll   = 64               // and to all of them

	firstPause   = time.Second     // after the first failure, then twice as long each time
	longestPause = 5 * time.Minute // of a receiver that can't be reached

	maxRefusals = 12                 // of one message, over a quarter of an hour or more: then it is dead
	maxAge      = 3 * 24 * time.Hour // of a message that is not taken: then it is dead
)

// A pause is for how long a receiver that can't be reached is left alone. Then
// it gets one message to try, and the others only once it has taken that.
type pause struct {
	failures int
	until    time.Time
}

// delay grows with each failure. It is drawn at random around its middle, so
// that a thousand messages do not come at once.
func delay(failures int) time.Duration {
	d := min(firstPause<<min(failures, 30), longestPause)
	return d/2 + rand.N(d)
}

// deliverDue sees to it that somebody posts what is due. It returns before that
// is done: a receiver that hangs keeps nobody else waiting.
func (o *Outbox) deliverDue(ctx context.Context) error {
	receivers, err := o.config.Receivers(ctx)
	if err != nil {
		return err
	}
	now, err := o.db.Now(ctx)
	if err != nil {
		return err
	}
	for _, r := range receivers {
		if r.Way == Poll || !o.take(r) {
			continue
		}
		o.posting.Go(func() {
			defer o.give(r)
			if err := o.deliver(ctx, r, now); err != nil && ctx.Err() == nil {
				o.log.ErrorContext(ctx, "messages for a receiver could not be read or marked", "client", r.Client, "error", err)
			}
		})
	}
	return nil
}

// take makes the caller the one that posts to a receiver, unless another does
// or it is left alone.
func (o *Outbox) take(r Receiver) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.taken[r] || time.Now().Before(o.pauses[r].until) {
		return false
	}
	o.taken[r] = true
	return true
}

func (o *Outbox) give(r Receiver) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.taken, r)
}

// deliver posts what is due to one receiver until nothing is, or it can't be
// reached.
func (o *Outbox) deliver(ctx context.Context, r Receiver, now time.Time) error {
	for ctx.Err() == nil && !o.paused(r) {
		limit := claimBatch
		if o.failing(r) {
			limit = 1
		}
		batch, err := o.claim(ctx, r, now, limit)
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := o.postAll(ctx, r, batch); err != nil {
			return err
		}
		if now, err = o.db.Now(ctx); err != nil {
			return err
		}
	}
	return nil
}

// claim returns messages that are due, and puts them off for others meanwhile.
func (o *Outbox) claim(ctx context.Context, r Receiver, now time.Time, limit int) (batch []Message, err error) {
	due, err := o.db.Exists(ctx, sqlIsDue, r.Client, r.Way, database.Millis(now))
	if err != nil || !due {
		return nil, err // the usual case, and no transaction
	}
	err = o.db.Write(ctx, []string{subject + r.Client}, func(tx *database.Tx) error {
		batch = nil
		err := tx.Each(ctx, readMessages(&batch), sqlDue, r.Client, r.Way, database.Millis(tx.Now), limit)
		for _, m := range batch {
			if err == nil {
				_, err = tx.Exec(ctx, sqlPut, database.Millis(tx.Now.Add(claimTime)), m.Seq)
			}
		}
		return err
	})
	return batch, err
}

// postAll posts claimed messages, a few at a time.
func (o *Outbox) postAll(ctx context.Context, r Receiver, batch []Message) error {
	var mu sync.Mutex
	var errs []error
	var work sync.WaitGroup
	queue := make(chan Message)
	for range min(postsEach, len(batch)) {
		work.Go(func() {
			for m := range queue {
				if err := o.postOne(ctx, r, m); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, m := range batch {
		queue <- m
	}
	close(queue)
	work.Wait()
	return errors.Join(errs...)
}

// postOne posts a claimed message and marks the outcome. The mark is made even
// when the server stops meanwhile.
func (o *Outbox) postOne(ctx context.Context, r Receiver, m Message) error {
	mark := context.WithoutCancel(ctx)
	if ctx.Err() != nil || o.paused(r) {
		return o.putBack(mark, r, m)
	}
	signed, err := o.sign(m)
	if err != nil {
		return err
	}
	o.slots <- struct{}{}
	err = o.poster.post(ctx, r, signed)
	<-o.slots
	switch refused := (*refusal)(nil); {
	case err == nil:
		o.reached(r)
		_, err := o.db.Exec(mark, sqlTaken, m.ID, m.Client, m.Way)
		return err
	case ctx.Err() != nil:
		return o.putBack(mark, r, m)
	case errors.As(err, &refused):
		o.reached(r)
		return o.fail(mark, m, 1, delay(m.Refusals), err)
	default:
		o.unreachable(ctx, r, err)
		return o.fail(mark, m, 0, o.leftAlone(r), err)
	}
}

// putBack makes a claimed message due at once, which nobody has posted.
func (o *Outbox) putBack(ctx context.Context, r Receiver, m Message) error {
	_, err := o.db.Exec(ctx, sqlPut, database.Millis(m.Due), m.Seq)
	return err
}

// fail notes that a message was not taken, and whether that was one more refusal.
// It is dead where it was refused too often, or is too old.
func (o *Outbox) fail(ctx context.Context, m Message, refusals int, wait time.Duration, cause error) error {
	now, err := o.db.Now(ctx)
	if err != nil {
		return err
	}
	flag := 0
	if m.Refusals+refusals >= maxRefusals || now.Sub(m.Since) > maxAge {
		flag = 1
		o.log.ErrorContext(ctx, "a receiver was not told of an ended session, and will not be unless an operator replays it", "client", m.Client, "way", string(m.Way), "session", m.Session, "error", cause)
	}
	_, err = o.db.Exec(ctx, sqlFailed, refusals, database.Millis(now.Add(wait)), flag, line(cause.Error(), maxError), m.Seq)
	return err
}

// reached notes that a receiver has answered.
func (o *Outbox) reached(r Receiver) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pauses[r].failures > 0 {
		o.log.Info("a receiver can be told of ended sessions again", "client", r.Client, "way", string(r.Way))
	}
	delete(o.pauses, r)
}

// unreachable notes that a receiver can't be reached.
func (o *Outbox) unreachable(ctx context.Context, r Receiver, cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.pauses[r]
	if time.Now().Before(p.until) {
		return // another message has found it out a moment before
	}
	if p.failures == 0 {
		o.log.WarnContext(ctx, "a receiver can't be told of ended sessions; what it is to be told waits", "client", r.Client, "way", string(r.Way), "error", cause)
	}
	o.pauses[r] = pause{p.failures + 1, time.Now().Add(delay(p.failures))}
}

func (o *Outbox) paused(r Receiver) bool { return o.leftAlone(r) > 0 }

func (o *Outbox) leftAlone(r Receiver) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(time.Until(o.pauses[r].until), 0)
}

func (o *Outbox) failing(r Receiver) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pauses[r].failures > 0
}
