package storetest

import (
	"github.com/counterfoil/counterfoil/store"
)

var expiryRules = []rule{
	{name: "idle", why: "Idle: the session ends this long after LastSeen. (7.3.1)", timed: true, check: func(k *kit) {
		c := login("john")
		c.Session.Idle = k.ticks(4)
		s := k.create(c)
		k.wait(2)
		k.isLive(s.ID)
		k.wait(3)
		k.isGone(s.ID)
		k.lists(store.Query{User: "john"})
		k.lists(store.Query{})
	}},
	{name: "idle starts again", why: "Idle: the session ends this long after LastSeen, which a touch moves.", timed: true, check: func(k *kit) {
		c := login("john")
		c.Session.Idle = k.ticks(4)
		s := k.create(c)
		for range 4 {
			k.wait(2)
			k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: s.ID, At: k.find(s.ID).AsOf}}))
		}
		k.isLive(s.ID)
		k.wait(5)
		k.isGone(s.ID)
	}},
	{name: "deadline", why: "Deadline: and here at the latest; activity never extends it. (7.3.2)", timed: true, check: func(k *kit) {
		c := login("john")
		c.Lifetime = k.ticks(6)
		s := k.create(c)
		for range 2 {
			k.wait(2)
			k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: s.ID, At: k.find(s.ID).AsOf}}))
		}
		k.wait(3)
		k.isGone(s.ID)
	}},
	{name: "no log entry", why: "An expired session leaves no log entry: it has run out by itself.", timed: true, check: func(k *kit) {
		c := login("john")
		c.Session.Idle = k.ticks(1)
		s := k.create(c)
		k.wait(2)
		for range 2 { // before and after it is purged
			if e := k.end(s.ID); e.Count != 0 {
				k.t.Errorf("End ended %d sessions, want 0", e.Count)
			}
			if e := k.endUser("john", store.SID{}); e.Count != 0 {
				k.t.Errorf("EndUser ended %d sessions, want 0", e.Count)
			}
			_, err := k.store.Purge(k.t.Context(), 10)
			k.ok(err)
		}
		k.isLogged()
	}},
	{name: "expired is absent", why: "ErrNotFound: it never was, it has ended, or it has expired; the store does not tell which.", timed: true, check: func(k *kit) {
		c := login("john")
		c.Session.Idle = k.ticks(1)
		rotation := withRefresh(&c)
		s := k.create(c)
		k.wait(2)
		_, _, err := k.store.Values(k.t.Context(), s.ID)
		k.refuses(err, store.ErrNotFound)
		k.refuses(k.store.SaveValues(k.t.Context(), s.ID, 1, nil), store.ErrNotFound)
		_, err = k.store.RotateRefresh(k.t.Context(), rotation)
		k.refuses(err, store.ErrNotFound)
		c = login("john")
		c.Replaces = s.ID
		_, err = k.store.Create(k.t.Context(), c)
		k.refuses(err, store.ErrNotFound)
		k.isGone(s.ID)
	}},
}
