package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

// patience is how long an attempt waits for the outcome of others. It hears of
// those of this process, and looks for those of other ones.
const (
	patience    = 5 * time.Second
	firstLook   = 100 * time.Millisecond
	longestLook = time.Second
)

// A ThrottledError says that guessing has failed too often: the password was
// not looked at. Answer 429.
type ThrottledError struct {
	RetryAfter time.Duration // more than zero, at most 15 minutes
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("account: too many wrong passwords: the next try is in %v", e.RetryAfter)
}

// A ticket is an attempt that was admitted.
type ticket struct {
	id      int64
	user    record // without an id: there is no such user
	known   bool   // the user is known by the device or the place
	person  []byte // bucket
	address []byte // bucket
	place   string
}

// admit waits for a turn at hashing and takes a place in both buckets, or says
// why not. Call done when the attempt is over. It waits a while for a
// place that another attempt may give back, without the turn meanwhile.
func (a *Accounts) admit(ctx context.Context, g guess) (t ticket, done func(), err error) {
	var tired <-chan time.Time
	for look := firstLook; ; look = min(2*look, longestLook) {
		if done, err = a.hasher.turn(ctx); err != nil {
			return ticket{}, nil, err
		}
		news := a.outcomes.wait() // before looking, so that none is missed
		t, v, err := a.tryAdmit(ctx, g)
		if err == nil && v.wait == 0 && !v.hold {
			return t, done, nil
		}
		done() // others hash while this one waits
		switch {
		case err != nil:
			return ticket{}, nil, failed("admit attempt", err)
		case v.wait > 0:
			return ticket{}, nil, &ThrottledError{v.wait}
		case tired == nil:
			tired = time.After(patience)
		}
		select {
		case <-news:
		case <-time.After(look): // for the outcomes of other processes
		case <-tired:
			return ticket{}, nil, &ThrottledError{firstWait}
		case <-ctx.Done():
			return ticket{}, nil, ctx.Err()
		}
	}
}

// subjects are what an attempt's transactions are about.
func (t ticket) subjects() []string { return []string{string(t.person), string(t.address)} }

// tryAdmit looks at both buckets and takes a place in them, if there is one, in
// one transaction. Who it is about is found before: where a login makes him
// known meanwhile, or another password forgets where he is known, this attempt
// is still one from before that.
func (a *Accounts) tryAdmit(ctx context.Context, g guess) (t ticket, v verdict, err error) {
	now, err := a.db.Now(ctx)
	if err != nil {
		return ticket{}, verdict{}, err
	}
	if err := a.failStale(ctx, now); err != nil {
		return ticket{}, verdict{}, err
	}
	if t, err = a.identify(ctx, g, now); err != nil {
		return ticket{}, verdict{}, err
	}
	err = a.db.Write(ctx, t.subjects(), func(tx *database.Tx) error {
		v, err = judge(ctx, tx, t)
		if err != nil || v.wait > 0 || v.hold {
			return err
		}
		return tx.One(ctx, database.Into(&t.id), sqlAttemptBegin, t.person, t.address, database.Millis(tx.Now))
	})
	return t, v, err
}

// identify finds out who is guessed at, and from where. It asks the same
// questions whether or not there is such a user.
func (a *Accounts) identify(ctx context.Context, g guess, now time.Time) (ticket, error) {
	t := ticket{place: placeOf(g.address)}
	t.address = bucketKey("address", t.place)
	var err error
	t.user, err = find(ctx, a.db.Conn, sqlUserByKey, g.key)
	if errors.Is(err, database.ErrNoRow) {
		t.user = record{hash: a.hasher.nobody}
	} else if err != nil {
		return ticket{}, err
	}
	digest := deviceDigest(g.device)
	device, err := a.db.Exists(ctx, sqlDeviceKnown, t.user.ID, digest, database.Millis(now.Add(-deviceLife)))
	if err != nil {
		return ticket{}, err
	}
	home, err := a.db.Exists(ctx, sqlPlaceKnown, t.user.ID, t.place, database.Millis(now.Add(-placeLife)))
	if err != nil {
		return ticket{}, err
	}
	t.known = device || home
	switch {
	case device:
		t.person = bucketKey("device", g.key, string(digest))
	case home:
		t.person = bucketKey("place", g.key, t.place)
	default:
		t.person = bucketKey("stranger", g.key)
	}
	return t, nil
}

// judge gives the verdict of the person's bucket and, on a stranger, of the
// address's.
func judge(ctx context.Context, tx *database.Tx, t ticket) (verdict, error) {
	person, err := readBucket(ctx, tx, t.person, sqlAttemptsPerson)
	if err != nil {
		return verdict{}, err
	}
	address, err := readBucket(ctx, tx, t.address, sqlAttemptsAddress)
	if err != nil {
		return verdict{}, err
	}
	v := person.verdict(tx.Now, freePerson)
	if !t.known {
		w := address.verdict(tx.Now, freeAddress)
		v = verdict{wait: max(v.wait, w.wait), hold: v.hold || w.hold}
	}
	return v, nil
}

// settle records the outcome of an attempt and returns the user if he may log
// in: if nobody has disabled or changed him while the password was checked.
func (a *Accounts) settle(ctx context.Context, t ticket, ok bool, newHash string) (user record, err error) {
	defer a.outcomes.tell()
	// Nobody is as many as there are names: one wait for all of them would tell.
	subjects := append(t.subjects(), userSubject(cmp.Or(t.user.ID, string(t.person))))
	err = a.db.Write(ctx, subjects, func(tx *database.Tx) error {
		user = record{}
		err := tx.Change(ctx, sqlAttemptEnd, t.id)
		overdue := errors.Is(err, database.ErrNoRow) // counted as failed already
		if err != nil && !overdue {
			return err
		}
		r, err := find(ctx, tx.Conn, sqlUserByID, t.user.ID)
		if err != nil && !errors.Is(err, database.ErrNoRow) {
			return err
		}
		if ok && err == nil && !r.Disabled && r.PasswordChanged.Equal(t.user.PasswordChanged) {
			user = r
			return a.welcome(ctx, tx, t, newHash)
		}
		if overdue {
			return nil
		}
		return errors.Join(countFailure(ctx, tx, t.person), countFailure(ctx, tx, t.address))
	})
	if err != nil {
		return record{}, err
	}
	if a.settled.Add(1)%purgeEvery == 0 {
		err = a.purge(ctx)
	}
	return user, err
}

// welcome records a success. It clears the person's bucket; the address's keeps
// its failures, or else somebody with one account of his own could guess at all
// the others without end.
func (a *Accounts) welcome(ctx context.Context, tx *database.Tx, t ticket, newHash string) error {
	if _, err := tx.Exec(ctx, sqlBucketClear, t.person); err != nil {
		return err
	}
	if newHash != t.user.hash {
		if _, err := tx.Exec(ctx, sqlUserSwapHash, newHash, t.user.ID, t.user.hash); err != nil {
			return err
		}
	}
	return rememberPlace(ctx, tx, t.user.ID, t.place)
}

// outcomes tells those who wait that an attempt of this process has its
// outcome.
type outcomes struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that is closed at the next outcome.
func (o *outcomes) wait() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == nil {
		o.next = make(chan struct{})
	}
	return o.next
}

func (o *outcomes) tell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next != nil {
		close(o.next)
		o.next = nil
	}
}
