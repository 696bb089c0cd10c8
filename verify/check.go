package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
)

// The reasons to refuse. What [Verifier.Check] returns matches one of them with
// errors.Is.
var (
	// ErrNoToken: the request has no bearer token.
	ErrNoToken = errors.New("verify: no access token")

	// ErrBadAuthorization: there is more than one Authorization header.
	ErrBadAuthorization = errors.New("verify: repeated authorization header")

	// ErrInvalid: the token is not, or no longer, good.
	ErrInvalid = errors.New("verify: the access token is not valid")

	// ErrEnded: the token's session has ended. It matches ErrInvalid, too.
	ErrEnded = fmt.Errorf("%w: its session has ended", ErrInvalid)

	// ErrUnavailable: whether the session lives can't be told at the moment.
	ErrUnavailable = errors.New("verify: the issuer can't be reached")
)

// Check returns what an access token says, if its session lives. The slices in
// the claims are shared: don't change them.
//
// Errors: ErrInvalid, of which ErrEnded is a case; ErrUnavailable.
func (v *Verifier) Check(ctx context.Context, signed string) (claims token.Claims, err error) {
	if err := v.check(ctx, v.config.Policy, &claims, signed); err != nil {
		return token.Claims{}, err
	}
	return claims, nil
}

// CheckWith is Check with another policy than the one of the configuration.
func (v *Verifier) CheckWith(ctx context.Context, p Policy, signed string) (claims token.Claims, err error) {
	if err := v.check(ctx, p, &claims, signed); err != nil {
		return token.Claims{}, err
	}
	return claims, nil
}

// check puts the claims where they are to stay: they are large, and each copy
// costs. If there is an error, they say nothing.
func (v *Verifier) check(ctx context.Context, p Policy, claims *token.Claims, signed string) error {
	if err := v.read(ctx, claims, signed); err != nil {
		return err
	}
	return v.judge(ctx, p, claims, signed)
}

// judge says whether the session of a good token lives. The order of the steps
// is that of package feed, and it counts: the lease is read before anything is
// looked up, and the clock after it.
func (v *Verifier) judge(ctx context.Context, p Policy, claims *token.Claims, signed string) error {
	id, err := store.ParseSID(claims.SessionID)
	if err != nil {
		return fmt.Errorf("%w: its sid is not ours", ErrInvalid)
	}
	check := v.view.Begin()
	ended := v.view.Ended(id)
	cut, known := v.view.CutKnown()
	before := placeOf(claims, cut, known)
	if before == no && claims.Expires.Sub(claims.IssuedAt) > v.view.Hold() {
		before = maybe // the issuer gave longer lives once, and forgets its session's end sooner
	}
	now, proven := check.Finish()
	switch {
	case ended, before == yes:
		return ErrEnded
	case !now.Before(claims.Expires):
		return fmt.Errorf("%w: it has expired", ErrInvalid)
	case proven && before == no:
		return nil
	case p == Introspect:
		return v.ask(ctx, claims, signed)
	case before == maybe:
		return ErrEnded
	case p > 0:
		if lapsed, ok := check.Lapsed(); ok && lapsed <= time.Duration(p) {
			return nil
		}
	}
	return fmt.Errorf("%w: it has proved nothing for longer than the bound", ErrUnavailable)
}

type answer int

const (
	no answer = iota
	maybe
	yes
)

// doubt is for how long after the end of everybody's sessions tokens are asked
// about whose login was later. The clock of a database server may have been set back
// shortly before, and nobody have told it: then a session bears a later time than its
// end, and tokens of it are issued until that is committed. It is also by how much
// the clocks of the issuer's nodes differ at most.
const doubt = 10 * time.Second

// placeOf says whether a token's session began before the end of everybody's, which
// the store stamped at the cut, and which was known here later, when it had been
// committed. Between the two, which may be any time, sessions are still seen live
// that it ends; after that only others. A token's iat is when its session was seen.
//
// Logins and the cut are stamped in transactions that follow each other, so that
// nothing comes between. Tokens tell the second only, rounded down: within that of
// the cut, both may be.
func placeOf(c *token.Claims, cut, known time.Time) answer {
	switch login := c.AuthTime; {
	case cut.IsZero():
		return no
	case !known.IsZero() && c.IssuedAt.After(known.Add(doubt)):
		return no
	case login.IsZero():
		return maybe
	case !login.Add(time.Second).After(cut):
		return yes
	case login.After(cut) && c.IssuedAt.After(cut.Add(doubt)):
		return no
	}
	return maybe
}

// read checks the signature and the claims. Whether the token has expired is
// judged again at the end, by the time at which the session was looked up.
func (v *Verifier) read(ctx context.Context, claims *token.Claims, signed string) (err error) {
	err = v.tokens.VerifyInto(claims, signed, v.now())
	if err == nil {
		return nil
	}
	if errors.Is(err, token.ErrUnknownKey) && v.keys.due(keysPause) && v.fetchKeys(ctx) == nil {
		err = v.tokens.VerifyInto(claims, signed, v.now())
	}
	if errors.Is(err, token.ErrNotYetValid) { // or else the time was old
		err = v.tokens.VerifyInto(claims, signed, v.view.Now())
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, token.ErrUnknownKey) && !v.keys.fresh():
		return fmt.Errorf("%w: its keys are not known, or no longer", ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// now is the issuer's time of not long ago, or as long as that is unknown, ours:
// nothing is accepted then without asking the issuer, who has the time.
func (v *Verifier) now() time.Time {
	if now := v.view.LatestNow(); !now.IsZero() {
		return now
	}
	return time.Now()
}
