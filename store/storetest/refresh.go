package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// createWithRefresh creates a session with refresh tokens and returns the
// rotation of the first.
func (k *kit) createWithRefresh() store.Rotation {
	k.t.Helper()
	c := login("john")
	r := withRefresh(&c)
	k.create(c)
	return r
}

func (k *kit) rotate(r store.Rotation) store.Rotated {
	k.t.Helper()
	out, err := k.store.RotateRefresh(k.t.Context(), r)
	k.ok(err)
	return out
}

// finds and findsNot check what FindRefresh says of a token.
func (k *kit) finds(r store.Rotation) store.Session {
	k.t.Helper()
	s, err := k.store.FindRefresh(k.t.Context(), r)
	k.ok(err)
	return s
}

func (k *kit) findsNot(r store.Rotation) {
	k.t.Helper()
	if s, err := k.store.FindRefresh(k.t.Context(), r); !errors.Is(err, store.ErrNotFound) {
		k.t.Fatalf("got %v, error %v, want %v", s.ID, err, store.ErrNotFound)
	}
}

// following is the rotation of the token that r leads to.
func following(r store.Rotation) store.Rotation {
	r.Presented, r.Next, r.Sealed = r.Next, digest(), digest()
	return r
}

var refreshRules = []rule{
	{name: "rotates", why: "RotateRefresh exchanges a refresh token for its successor. (10.4.5)", check: func(k *kit) {
		r := k.createWithRefresh()
		for range 3 {
			out := k.rotate(r)
			if out.Replayed || out.Sealed != r.Sealed || out.Session.ID != r.ID || out.Session.User != "john" {
				k.t.Fatalf("got %+v", out)
			}
			r = following(r)
		}
		k.isLive(r.ID)
		k.isLogged()
	}},
	{name: "is seen", why: "The session's LastSeen has been moved to AsOf.", timed: true, check: func(k *kit) {
		r := k.createWithRefresh()
		for range 2 { // the second is a replay
			k.wait(2)
			s := k.rotate(r).Session
			if !s.LastSeen.Equal(s.AsOf) || s.AsOf.Sub(s.Created) < k.ticks(2)-time.Millisecond {
				k.t.Errorf("created %v, last seen %v, as of %v", s.Created, s.LastSeen, s.AsOf)
			}
			if got := k.find(r.ID).LastSeen; !got.Equal(s.LastSeen) {
				k.t.Errorf("stored last seen %v, returned %v", got, s.LastSeen)
			}
		}
	}},
	{name: "replays", why: "Replayed: the presented token was rotated before, within the grace. Sealed is then what that first rotation stored. (req 41: a lost answer)", check: func(k *kit) {
		r := k.createWithRefresh()
		k.rotate(r)
		again := r
		again.Next, again.Sealed = digest(), digest()
		if out := k.rotate(again); !out.Replayed || out.Sealed != r.Sealed {
			k.t.Fatalf("replayed %v, sealed %x, want true, %x", out.Replayed, out.Sealed, r.Sealed)
		}
		if out := k.rotate(following(r)); out.Replayed {
			k.t.Fatal("the successor of the first rotation was not the current token")
		}
	}},
	{name: "fifty at once", why: "One atomic successor, the same successor replayed within a short grace. (req 41: 50 parallel refreshes)", check: func(k *kit) {
		r := k.createWithRefresh()
		var sealed [50][32]byte
		var first atomic.Pointer[store.Rotation]
		parallel(len(sealed), func(i int) {
			mine := r
			mine.Next, mine.Sealed = digest(), digest()
			out, err := k.store.RotateRefresh(k.t.Context(), mine)
			if err != nil {
				k.t.Errorf("RotateRefresh: %v", err)
			}
			sealed[i] = out.Sealed
			if !out.Replayed && !first.CompareAndSwap(nil, &mine) {
				k.t.Error("the token was rotated twice")
			}
		})
		if first.Load() == nil {
			k.t.Fatal("the token was not rotated")
		}
		for _, got := range sealed {
			if got != first.Load().Sealed {
				k.t.Fatalf("somebody got the successor %x, want %x", got, first.Load().Sealed)
			}
		}
		k.rotate(following(*first.Load()))
		k.isLogged()
	}},
	{name: "reuse after the grace", why: "ErrReused where the family is right and the token is neither the current one nor, within the grace, the one before. The session has been ended, in the same transaction. (req 40)", timed: true, check: func(k *kit) {
		r := k.createWithRefresh()
		r.Grace = k.ticks(3)
		k.rotate(r)
		k.wait(1)
		if !k.rotate(r).Replayed {
			k.t.Fatal("within the grace: not replayed")
		}
		k.wait(3) // a replay does not lengthen the grace
		_, err := k.store.RotateRefresh(k.t.Context(), r)
		k.refuses(err, store.ErrReused)
		k.isGone(r.ID)
		k.isLogged(r.ID)
	}},
	{name: "reuse without grace", why: "Grace: how long the predecessor still gets the same successor.", check: func(k *kit) {
		r := k.createWithRefresh()
		r.Grace = 0
		k.rotate(r)
		_, err := k.store.RotateRefresh(k.t.Context(), r)
		k.refuses(err, store.ErrReused)
		k.isLogged(r.ID)
	}},
	{name: "reuse of an older token", why: "ErrReused where the token is neither the current one nor the one before.", check: func(k *kit) {
		first := k.createWithRefresh()
		second := following(first)
		k.rotate(first)
		k.rotate(second)
		_, err := k.store.RotateRefresh(k.t.Context(), first)
		k.refuses(err, store.ErrReused)
		k.isGone(first.ID)
		k.isLogged(first.ID)
		_, err = k.store.RotateRefresh(k.t.Context(), following(second))
		k.refuses(err, store.ErrNotFound)
	}},
	{name: "reuse of an invented token", why: "ErrReused where the family is right and the token is neither the current one nor the one before.", check: func(k *kit) {
		for _, presented := range []store.Digest{digest(), {}} {
			r := k.createWithRefresh()
			r.Presented = presented
			_, err := k.store.RotateRefresh(k.t.Context(), r)
			k.refuses(err, store.ErrReused)
			k.isGone(r.ID)
		}
	}},
	{name: "reuse ends once", why: "Whoever ends a session appends to the log in the same transaction: one end, one entry.", check: func(k *kit) {
		r := k.createWithRefresh()
		r.Presented = digest()
		var reused atomic.Int32
		parallel(8, func(int) {
			switch _, err := k.store.RotateRefresh(k.t.Context(), r); {
			case errors.Is(err, store.ErrReused):
				reused.Add(1)
			case !errors.Is(err, store.ErrNotFound):
				k.t.Errorf("got error %v", err)
			}
		})
		if n := reused.Load(); n != 1 {
			k.t.Errorf("%d calls ended the session, want 1", n)
		}
		k.isLogged(r.ID)
	}},
	{name: "another family", why: "ErrNotFound where the family is not the session's: who only knows a session's id can't end it.", check: func(k *kit) {
		r := k.createWithRefresh()
		stranger := k.createWithRefresh()
		for _, family := range []store.Digest{digest(), {}, stranger.Family} {
			for _, presented := range []store.Digest{digest(), {}, r.Presented} {
				bad := r
				bad.Family, bad.Presented = family, presented
				_, err := k.store.RotateRefresh(k.t.Context(), bad)
				k.refuses(err, store.ErrNotFound)
			}
		}
		k.isLogged()
		k.rotate(r)
	}},
	{name: "no family", why: "Refresh zero: none. ErrNotFound where the family is not the session's: the zero family is nobody's.", check: func(k *kit) {
		s := k.createFor("john")
		_, err := k.store.RotateRefresh(k.t.Context(), store.Rotation{ID: s.ID, Next: digest(), Grace: time.Minute, Retain: retain})
		k.refuses(err, store.ErrNotFound)
		k.isLive(s.ID)
	}},
	{name: "of an ended session", why: "ErrNotFound where the session is not live: a refresh that races a logout mints nothing usable. (D1, req 26)", check: func(k *kit) {
		for how, end := range waysToEnd {
			c := login("john")
			r := withRefresh(&c)
			end(k, k.create(c))
			if _, err := k.store.RotateRefresh(k.t.Context(), r); !errors.Is(err, store.ErrNotFound) {
				k.t.Errorf("%s: got error %v, want %v", how, err, store.ErrNotFound)
			}
			k.isGone(r.ID)
		}
	}},
	{name: "found", why: "FindRefresh returns the session of a refresh token that RotateRefresh would exchange, and exchanges nothing: it writes nothing.", timed: true, check: func(k *kit) {
		first := k.createWithRefresh()
		created := k.find(first.ID)
		k.wait(1)
		for range 2 { // what is found is not used up
			s := k.finds(first)
			if s.User != "john" || s.ID != first.ID || !s.LastSeen.Equal(created.LastSeen) || !s.AsOf.After(created.AsOf) {
				k.t.Fatalf("got %+v, was %+v", s, created)
			}
		}
		second := following(first)
		k.findsNot(second) // nothing has been exchanged
		first.Grace = k.ticks(3)
		k.rotate(first)
		k.finds(second)
		k.finds(first) // within the grace it gets the same successor
		k.wait(4)
		k.findsNot(first)
		k.isLive(first.ID) // who asks ends nothing
		k.rotate(second)
		k.findsNot(first)
		k.isLogged()
	}},
	{name: "not found", why: "FindRefresh: ErrNotFound for every other token.", check: func(k *kit) {
		r := k.createWithRefresh()
		stranger := k.createWithRefresh()
		for _, family := range []store.Digest{digest(), {}, stranger.Family} {
			bad := r
			bad.Family = family
			k.findsNot(bad)
		}
		for _, presented := range []store.Digest{digest(), {}, stranger.Presented} {
			bad := r
			bad.Presented = presented
			k.findsNot(bad)
		}
		plain := k.createFor("john")
		k.findsNot(store.Rotation{ID: plain.ID, Grace: time.Minute})
		k.finds(r)
		for how, end := range waysToEnd {
			c := login("john")
			r := withRefresh(&c)
			end(k, k.create(c))
			if _, err := k.store.FindRefresh(k.t.Context(), r); !errors.Is(err, store.ErrNotFound) {
				k.t.Errorf("%s: got error %v, want %v", how, err, store.ErrNotFound)
			}
		}
	}},
	{name: "values stay", why: "RotateRefresh exchanges a refresh token; it changes no values.", check: func(k *kit) {
		c := login("john")
		c.Values = []byte("values")
		r := withRefresh(&c)
		k.create(c)
		k.rotate(r)
		if v, version := k.values(r.ID); string(v) != "values" || version != 1 {
			k.t.Errorf("got %q in version %d, want \"values\" in version 1", v, version)
		}
		k.ok(k.store.SaveValues(k.t.Context(), r.ID, 1, []byte("other")))
		k.rotate(following(r))
	}},
}
