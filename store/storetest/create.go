package storetest

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

var createRules = []rule{
	{name: "returns what is stored", why: "Create adds a session and returns it as stored.", check: func(k *kit) {
		c := login("john")
		c.Session.Persistent = true
		c.Session.Lineage = store.NewSID(time.Now())
		created := k.create(c)
		found := k.find(created.ID)
		created.AsOf, found.AsOf = time.Time{}, time.Time{}
		if created != found {
			k.t.Fatalf("created %+v, found %+v", created, found)
		}
		want := c.Session
		want.Created, want.LastSeen, want.AuthTime, want.Deadline = found.Created, found.LastSeen, found.AuthTime, found.Deadline
		if found != want {
			k.t.Fatalf("got %+v, want %+v", found, want)
		}
	}},
	{name: "stamps", why: "The store stamps Created and LastSeen, and where they are zero AuthTime (if User is set) and Deadline: Created + Lifetime.", check: func(k *kit) {
		c := login("john")
		c.Session.Created = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		c.Session.LastSeen = c.Session.Created
		s := k.create(c)
		if s.Created.Year() == 1999 || !s.LastSeen.Equal(s.Created) || !s.AuthTime.Equal(s.Created) {
			k.t.Errorf("created %v, last seen %v, authenticated %v: want the store's time for all", s.Created, s.LastSeen, s.AuthTime)
		}
		if want := s.Created.Add(c.Lifetime); !s.Deadline.Equal(want) {
			k.t.Errorf("deadline %v, want %v", s.Deadline, want)
		}
		if anonymous := k.createFor(""); !anonymous.AuthTime.IsZero() {
			k.t.Errorf("an anonymous session was authenticated at %v", anonymous.AuthTime)
		}
	}},
	{name: "keeps given times", why: "The store stamps … where they are zero AuthTime and Deadline.", check: func(k *kit) {
		c := login("john")
		c.Session.AuthTime = time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		c.Session.Deadline = time.Now().Add(3 * time.Hour).Truncate(time.Millisecond)
		s := k.create(c)
		if !s.AuthTime.Equal(c.Session.AuthTime) || !s.Deadline.Equal(c.Session.Deadline) {
			k.t.Errorf("authenticated %v, deadline %v, want %v, %v", s.AuthTime, s.Deadline, c.Session.AuthTime, c.Session.Deadline)
		}
	}},
	{name: "milliseconds", why: "Times have the precision of a millisecond.", check: func(k *kit) {
		c := login("john")
		c.Session.AuthTime = time.Now().Add(-time.Hour).Truncate(time.Second).Add(1_234_567)
		c.Session.Deadline = c.Session.AuthTime.Add(5 * time.Hour)
		s := k.find(k.create(c).ID)
		for name, at := range map[string]time.Time{"Created": s.Created, "AuthTime": s.AuthTime, "LastSeen": s.LastSeen, "Deadline": s.Deadline, "AsOf": s.AsOf} {
			if !at.Equal(at.Truncate(time.Millisecond)) {
				k.t.Errorf("%s is %v", name, at)
			}
		}
		if got, want := s.AuthTime, c.Session.AuthTime.Truncate(time.Millisecond); !got.Equal(want) {
			k.t.Errorf("AuthTime is %v, want %v", got, want)
		}
	}},
	{name: "an id once", why: "ErrConflict where the id exists. On an error nothing has changed.", check: func(k *kit) {
		c := login("john")
		first := k.create(c)
		c.Session.User, c.Session.Secret = "mallory", digest()
		_, err := k.store.Create(k.t.Context(), c)
		k.refuses(err, store.ErrConflict)
		if got := k.find(first.ID); got.User != "john" || got.Secret != first.Secret {
			k.t.Fatalf("the session is now %+v", got)
		}
		if l := k.list(store.Query{User: "mallory"}); len(l) != 0 {
			k.t.Fatalf("mallory has sessions: %v", l)
		}
	}},
	{name: "replaces", why: "Replaces ends in the same transaction: the old session is dead when the new one lives, and the log says so. (7.2.4)", check: func(k *kit) {
		old := k.createFor("")
		c := login("john")
		c.Replaces = old.ID
		s := k.create(c)
		k.isLive(s.ID)
		k.isGone(old.ID)
		k.isLogged(old.ID)
	}},
	{name: "replaces a live one only", why: "ErrNotFound where Creation.Replaces is not live. On an error nothing has changed.", check: func(k *kit) {
		old := k.createFor("")
		k.end(old.ID)
		c := login("john")
		c.Replaces = old.ID
		_, err := k.store.Create(k.t.Context(), c)
		k.refuses(err, store.ErrNotFound)
		k.isGone(c.Session.ID)
		k.isLogged(old.ID)
	}},
	{name: "replaces once", why: "ErrNotFound where Creation.Replaces is not live: of many logins in one anonymous session one wins.", check: func(k *kit) {
		for range 10 {
			old := k.createFor("")
			var won atomic.Int32
			parallel(8, func(int) {
				c := login("john")
				c.Replaces = old.ID
				switch _, err := k.store.Create(k.t.Context(), c); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrNotFound):
					k.t.Errorf("got error %v, want %v", err, store.ErrNotFound)
				}
			})
			if n := won.Load(); n != 1 {
				k.t.Fatalf("%d logins replaced the same session", n)
			}
			if n := logged(k.log(), old.ID); n != 1 {
				k.t.Fatalf("the replaced session has %d log entries, want 1", n)
			}
		}
	}},
	{name: "inherits", why: "Inherit copies the values of the replaced session, as they are in this transaction. Their version is 1.", check: func(k *kit) {
		old := k.createFor("")
		k.ok(k.store.SaveValues(k.t.Context(), old.ID, 1, []byte("cart")))
		c := login("john")
		c.Replaces, c.Inherit, c.Values = old.ID, true, []byte("ignored")
		k.create(c)
		if v, version := k.values(c.Session.ID); string(v) != "cart" || version != 1 {
			k.t.Fatalf("got %q in version %d, want \"cart\" in version 1", v, version)
		}
	}},
	{name: "inherits nothing unasked", why: "Values are the session's first values; nil: none.", check: func(k *kit) {
		c := login("")
		c.Values = []byte("cart")
		old := k.create(c)
		c = login("john")
		c.Replaces = old.ID
		k.create(c)
		if v, _ := k.values(c.Session.ID); v != nil {
			k.t.Fatalf("got %q, want none", v)
		}
	}},
	{name: "limit", why: "Limit is how many live sessions the user may have, the new one included. The ones created first end, and get log entries. (7.1.2)", timed: true, check: func(k *kit) {
		other, anonymous := k.createFor("jane"), k.createFor("")
		var ids []store.SID
		for range 5 {
			ids = append(ids, k.createFor("john").ID)
			k.wait(1)
		}
		slices.Reverse(ids) // Touching the oldest does not save them.
		k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: ids[4], At: time.Now()}, {ID: ids[3], At: time.Now()}}))
		c := login("john")
		c.Limit = 3
		k.create(c)
		for _, id := range []store.SID{c.Session.ID, ids[0], ids[1], other.ID, anonymous.ID} {
			k.isLive(id)
		}
		for _, id := range ids[2:] {
			k.isGone(id)
		}
		k.isLogged(ids[2:]...)
	}},
	{name: "limit spares the new one", why: "Limit is how many live sessions the user may have, the new one included: the new one is created last, whatever its id.", check: func(k *kit) {
		old := k.createFor("john")
		c := login("john")
		c.Session.ID = store.SID{15: 1} // sorts before every other
		c.Limit = 1
		k.create(c)
		k.isLive(c.Session.ID)
		k.isGone(old.ID)
		k.isLogged(old.ID)
	}},
	{name: "limit counts the replaced one out", why: "Create ends the replaced one, and ends the user's oldest sessions that exceed Limit.", check: func(k *kit) {
		first, second := k.createFor("john"), k.createFor("john")
		c := login("john")
		c.Limit, c.Replaces = 2, second.ID
		k.create(c)
		k.isLive(first.ID)
		k.isGone(second.ID)
		k.isLogged(second.ID)
	}},
	{name: "limit counts live ones", why: "Limit is how many live sessions the user may have.", timed: true, check: func(k *kit) {
		c := login("john")
		c.Lifetime = k.ticks(1)
		k.create(c)
		kept := k.createFor("john")
		k.wait(2)
		c = login("john")
		c.Limit = 2
		k.create(c)
		k.isLive(kept.ID)
	}},
	{name: "no limit for strangers", why: "Limit does not apply where User is empty.", check: func(k *kit) {
		first := k.createFor("")
		c := login("")
		c.Limit = 1
		k.create(c)
		k.isLive(first.ID)
	}},
	{name: "limit under parallel logins", why: "The user's oldest sessions that exceed Limit end in the same transaction; those that end get log entries. (req 13: the limit holds under N parallel logins)", check: func(k *kit) {
		const logins, limit = 40, 5
		var ids [logins]store.SID
		parallel(logins, func(i int) {
			c := login("john")
			ids[i], c.Limit = c.Session.ID, limit
			if _, err := k.store.Create(k.t.Context(), c); err != nil {
				k.t.Errorf("Create: %v", err)
			}
			if l, err := k.store.List(k.t.Context(), store.Query{User: "john"}); err != nil || len(l) > limit {
				k.t.Errorf("List: %d sessions (error %v), want at most %d", len(l), err, limit)
			}
		})
		live := k.list(store.Query{User: "john"})
		if len(live) != limit {
			k.t.Fatalf("%d sessions are live, want %d", len(live), limit)
		}
		k.isLogged(slices.DeleteFunc(ids[:], func(id store.SID) bool {
			return slices.ContainsFunc(live, func(s store.Session) bool { return s.ID == id })
		})...)
	}},
	{name: "generation", why: "ErrSuperseded where the user's generation is no longer Creation.Generation. On an error nothing has changed. (D9)", check: func(k *kit) {
		anonymous := k.createFor("")
		c := login("john")
		c.Generation, c.Replaces = k.generation("john"), anonymous.ID
		k.endUser("john", store.SID{})
		_, err := k.store.Create(k.t.Context(), c)
		k.refuses(err, store.ErrSuperseded)
		k.isGone(c.Session.ID)
		k.isLive(anonymous.ID)
		k.isLogged()
		c.Generation = k.generation("john")
		k.create(c)
	}},
	{name: "generation unchecked", why: "Generation zero: not checked.", check: func(k *kit) {
		k.endUser("john", store.SID{})
		k.createFor("john")
	}},
}
