package account

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

// The throttle counts failures in buckets. One is the person's: the name
// together with where the guess comes from, so that strangers never lock the
// user out of the devices and places that he is known by (ASVS 6.1.1). The
// other is the address's, whatever the names; it does not stop somebody at a
// device or place that the user is known by.
//
// Before a password is looked at, the attempt takes a place in both buckets;
// afterwards a failure is counted, and a success gives the place back. So
// parallel guesses can't slip through (D15), and parallel logins with the right
// password all succeed: they wait for places.
//
// How much guessing that leaves: against one name from everywhere 5 at once, 10
// more within 18 minutes, then one every 15 minutes, 96 a day. It does not end
// after 100 consecutive failures, as NIST SP 800-63B-4 §3.2.2 has it: that would
// let strangers lock the user out of every new device.
const (
	freePerson  = 5  // failures that cost a person nothing
	freeAddress = 20 // and an address
	firstWait   = time.Second
	longestWait = 15 * time.Minute
	forgetAfter = 24 * time.Hour // without a failure, a bucket is empty again

	// attemptLife is when an attempt that has no outcome, because its process
	// died, counts as failed.
	attemptLife = time.Minute

	maxBuckets = 100_000
	purgeEvery = 256 // attempts
)

// A bucket is what is known of one key of the throttle.
type bucket struct {
	failures int
	failedAt time.Time
	pending  int // attempts without an outcome
}

// A verdict says how long the next attempt must wait, and, where that is zero,
// whether the outcome of others has to be known first.
type verdict struct {
	wait time.Duration
	hold bool
}

func (b bucket) verdict(now time.Time, free int) verdict {
	if b.failures < free {
		return verdict{hold: b.failures+b.pending >= free}
	}
	wait := b.failedAt.Add(waitAfter(b.failures, free)).Sub(now)
	return verdict{wait: max(wait, 0), hold: b.pending > 0}
}

// waitAfter is the time between a failure and the next attempt.
func waitAfter(failures, free int) time.Duration {
	doublings := min(failures-free, 10) // 1024 s: longer than the longest
	return min(firstWait<<doublings, longestWait)
}

func countFailure(ctx context.Context, tx *database.Tx, key []byte) error {
	b, err := readFailures(ctx, tx, key)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, sqlBucketSet, key, b.failures+1, database.Millis(tx.Now))
	return err
}

// failStale counts attempts that never had an outcome.
func (a *Accounts) failStale(ctx context.Context, now time.Time) error {
	var stale []ticket
	// Those that started in the future are from before the clock was set back.
	err := a.db.Each(ctx, func(scan database.Scanner) error {
		var t ticket
		err := scan(&t.id, &t.person, &t.address)
		stale = append(stale, t)
		return err
	}, sqlAttemptsStale, database.Millis(now.Add(-attemptLife)), database.Millis(now.Add(attemptLife)), 100)
	for _, t := range stale {
		err = errors.Join(err, a.db.Write(ctx, t.subjects(), func(tx *database.Tx) error {
			err := tx.Change(ctx, sqlAttemptEnd, t.id)
			if errors.Is(err, database.ErrNoRow) {
				return nil // it has an outcome now, or another process has counted it
			}
			return errors.Join(err, countFailure(ctx, tx, t.person), countFailure(ctx, tx, t.address))
		}))
	}
	return err
}

func readBucket(ctx context.Context, tx *database.Tx, key []byte, pending string) (bucket, error) {
	b, err := readFailures(ctx, tx, key)
	if err != nil {
		return bucket{}, err
	}
	err = tx.One(ctx, database.Into(&b.pending), pending, key)
	return b, err
}

func readFailures(ctx context.Context, tx *database.Tx, key []byte) (bucket, error) {
	var b bucket
	var failedAt int64
	err := tx.One(ctx, database.Into(&b.failures, &failedAt), sqlBucketRead, key)
	if errors.Is(err, database.ErrNoRow) {
		return bucket{}, nil
	}
	if err != nil {
		return bucket{}, err
	}
	b.failedAt = database.FromMillis(failedAt)
	if b.failedAt.After(tx.Now) {
		// The clock was set back. Wait from here, not for as long as that was.
		b.failedAt = tx.Now
		_, err = tx.Exec(ctx, sqlBucketSet, key, b.failures, database.Millis(tx.Now))
	}
	if tx.Now.Sub(b.failedAt) >= forgetAfter {
		return bucket{}, err
	}
	return b, err
}

// purge removes what has run out, and keeps the number of buckets bounded: a
// flood of names evicts the oldest of those that count least.
func (a *Accounts) purge(ctx context.Context) error {
	return a.db.Write(ctx, []string{"purge"}, func(tx *database.Tx) error {
		for query, before := range map[string]time.Time{
			sqlBucketPurge: tx.Now.Add(-forgetAfter),
			sqlDevicePurge: tx.Now.Add(-deviceLife),
			sqlPlacePurge:  tx.Now.Add(-placeLife),
		} {
			if _, err := tx.Exec(ctx, query, database.Millis(before)); err != nil {
				return err
			}
		}
		var count int
		if err := tx.One(ctx, database.Into(&count), sqlBucketCount); err != nil || count <= a.maxBuckets {
			return err
		}
		_, err := tx.Exec(ctx, sqlBucketEvict, count-a.maxBuckets)
		return err
	})
}

// bucketKey digests what a bucket is about: names that visitors type, of any
// length and perhaps a password by mistake, are not kept.
func bucketKey(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}

// placeOf groups addresses: an IPv6 client commands a whole /64.
func placeOf(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if !address.IsValid() {
		return ""
	}
	bits := 32
	if address.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(address, bits).Masked().String()
}
