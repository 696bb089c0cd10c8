package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

var createRules = []rule{
	{name: "returns what is stored", why: "Create adds a session and returns it as stored.", check: func(k *kit) {
		c := login("john")
		c.Session.Persistent = true
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

var findRules = []rule{
	{name: "unknown", why: "ErrNotFound: there is no such live session.", check: func(k *kit) {
		k.isGone(store.NewSID(time.Now()))
		k.isGone(store.SID{})
	}},
	{name: "as of", why: "Session.AsOf is the store's time in the transaction that saw it.", timed: true, check: func(k *kit) {
		s := k.createFor("john")
		if !s.AsOf.Equal(s.Created) {
			k.t.Errorf("created at %v, as of %v", s.Created, s.AsOf)
		}
		k.wait(3)
		found := k.find(s.ID)
		if passed := found.AsOf.Sub(s.Created); passed < k.ticks(3)-time.Millisecond {
			k.t.Errorf("AsOf is %v after the creation, want at least %v", passed, k.ticks(3))
		}
		if l := k.list(store.Query{User: "john"}); l[0].AsOf.Before(found.AsOf) {
			k.t.Errorf("List is as of %v, Find before it as of %v", l[0].AsOf, found.AsOf)
		}
	}},
	{name: "writes nothing", why: "Find writes nothing.", timed: true, check: func(k *kit) {
		s := k.createFor("john")
		k.wait(2)
		k.find(s.ID)
		if again := k.find(s.ID); !again.LastSeen.Equal(s.LastSeen) {
			k.t.Errorf("last seen %v, want %v", again.LastSeen, s.LastSeen)
		}
	}},
	{name: "times never decrease", why: "It stamps what it writes with its own clock, which never decreases.", check: func(k *kit) {
		s := k.createFor("john")
		last := s.AsOf
		for range 200 {
			now := k.find(s.ID).AsOf
			if now.Before(last) {
				k.t.Fatalf("the store's time went from %v back to %v", last, now)
			}
			last = now
		}
		if now := k.follow(store.Cursor{}).Now; now.Before(last) {
			k.t.Fatalf("Follow's time is %v, Find's before it %v", now, last)
		}
	}},
}

var listRules = []rule{
	{name: "of a user", why: "User: of this user.", check: func(k *kit) {
		a, b := k.createFor("john"), k.createFor("john")
		k.createFor("jane")
		k.createFor("")
		k.createFor("john2")
		k.createFor("JOHN")
		k.lists(store.Query{User: "john"}, a.ID, b.ID)
		k.lists(store.Query{User: "nobody"})
	}},
	{name: "of everybody", why: "User empty: of everybody, anonymous ones too.", check: func(k *kit) {
		a, b, c := k.createFor("john"), k.createFor("jane"), k.createFor("")
		k.lists(store.Query{}, a.ID, b.ID, c.ID)
	}},
	{name: "whole records", why: "List returns live sessions: the same records as Find.", check: func(k *kit) {
		want := k.createFor("john")
		for _, user := range []string{"", "john"} {
			got := k.list(store.Query{User: user})[0]
			got.AsOf = want.AsOf
			if got != want {
				k.t.Errorf("got %+v, want %+v", got, want)
			}
		}
	}},
	{name: "live only", why: "List returns live sessions.", timed: true, check: func(k *kit) {
		ended, kept := k.createFor("john"), k.createFor("john")
		k.end(ended.ID)
		c := login("john")
		c.Lifetime = k.ticks(1)
		k.create(c)
		k.wait(2)
		k.lists(store.Query{User: "john"}, kept.ID)
		k.lists(store.Query{}, kept.ID)
	}},
	{name: "in pages", why: "List returns … in the order of their ids, at most q.Limit of them. After: only ids greater than this.", check: func(k *kit) {
		var want []store.SID
		for i := range 23 {
			c := login("john")
			c.Session.ID = store.SID{0: byte(i*101 + 7), 9: 0xff, 15: 1}
			want = append(want, k.create(c).ID)
			k.createFor("jane")
		}
		slices.SortFunc(want, func(a, b store.SID) int { return bytes.Compare(a[:], b[:]) })
		var got []store.SID
		q := store.Query{User: "john", Limit: 5}
		for {
			page := k.list(q)
			if len(page) > q.Limit {
				k.t.Fatalf("a page has %d rows, want at most %d", len(page), q.Limit)
			}
			for _, s := range page {
				got = append(got, s.ID)
			}
			if len(page) < q.Limit {
				break
			}
			q.After = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			k.t.Fatalf("got %v, want %v", got, want)
		}
		if all := k.list(store.Query{}); !slices.IsSortedFunc(all, func(a, b store.Session) int { return bytes.Compare(a.ID[:], b.ID[:]) }) {
			k.t.Fatal("the list of everybody's sessions is out of order")
		}
	}},
}

// lists checks that the query finds exactly these sessions.
func (k *kit) lists(q store.Query, want ...store.SID) {
	k.t.Helper()
	compare := func(a, b store.SID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(want, compare)
	var got []store.SID
	for _, s := range k.list(q) {
		got = append(got, s.ID)
	}
	if !slices.Equal(got, want) {
		k.t.Fatalf("%+v lists %v, want %v", q, got, want)
	}
}

var valuesRules = []rule{
	{name: "none", why: "A session without values has nil and its version.", check: func(k *kit) {
		if v, version := k.values(k.createFor("john").ID); v != nil || version != 1 {
			k.t.Errorf("got %v in version %d, want nil in version 1", v, version)
		}
	}},
	{name: "first", why: "Values are the session's first values. Their version is 1.", check: func(k *kit) {
		c := login("john")
		c.Values = []byte("first")
		if v, version := k.values(k.create(c).ID); string(v) != "first" || version != 1 {
			k.t.Errorf("got %q in version %d, want \"first\" in version 1", v, version)
		}
	}},
	{name: "replace", why: "SaveValues replaces the values …; the version then counts one up.", check: func(k *kit) {
		id := k.createFor("john").ID
		for version, text := range []string{1: "one", 2: "a longer second", 3: "", 4: "four"} {
			if version == 0 {
				continue
			}
			k.ok(k.store.SaveValues(k.t.Context(), id, uint64(version), []byte(text)))
			if v, got := k.values(id); string(v) != text || got != uint64(version)+1 {
				k.t.Errorf("got %q in version %d, want %q in version %d", v, got, text, version+1)
			}
		}
	}},
	{name: "conflict", why: "SaveValues … if its values still have that version. Otherwise it returns ErrConflict and changes nothing. (D2)", check: func(k *kit) {
		id := k.createFor("john").ID
		k.ok(k.store.SaveValues(k.t.Context(), id, 1, []byte("mine")))
		for _, version := range []uint64{0, 1, 3, 1 << 40} {
			k.refuses(k.store.SaveValues(k.t.Context(), id, version, []byte("yours")), store.ErrConflict)
		}
		if v, version := k.values(id); string(v) != "mine" || version != 2 {
			k.t.Errorf("got %q in version %d, want \"mine\" in version 2", v, version)
		}
	}},
	{name: "no lost update", why: "SaveValues replaces the values if they still have that version: of many writers one wins each round. (D2)", check: func(k *kit) {
		const writers, rounds = 8, 10
		id := k.createFor("john").ID
		parallel(writers, func(int) {
			for done := 0; done < rounds; {
				v, version, err := k.store.Values(k.t.Context(), id)
				if err == nil {
					err = k.store.SaveValues(k.t.Context(), id, version, append(slices.Clone(v), 'x'))
				}
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrConflict) {
					k.t.Errorf("got error %v, want %v", err, store.ErrConflict)
					return
				}
			}
		})
		if v, version := k.values(id); len(v) != writers*rounds || version != writers*rounds+1 {
			k.t.Errorf("%d updates in version %d, want %d in version %d", len(v), version, writers*rounds, writers*rounds+1)
		}
	}},
	{name: "never revive", why: "A write succeeds only on a session that is live: SaveValues returns ErrNotFound and changes nothing. (D1)", check: func(k *kit) {
		for how, end := range waysToEnd {
			s := k.createFor("john")
			end(k, s)
			k.refuses(k.store.SaveValues(k.t.Context(), s.ID, 1, []byte("slow request")), store.ErrNotFound)
			if _, _, err := k.store.Values(k.t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
				k.t.Errorf("%s: the session has values again: %v", how, err)
			}
			k.isGone(s.ID)
			k.lists(store.Query{User: "john"})
		}
	}},
	{name: "never revive in a race", why: "A slow request can't bring back a session that was ended meanwhile. (D1)", check: func(k *kit) {
		for range 20 {
			c := login("john")
			rotation := withRefresh(&c)
			s := k.create(c)
			parallel(6, func(i int) {
				ctx := k.t.Context()
				switch i % 6 {
				case 0:
					k.store.SaveValues(ctx, s.ID, 1, []byte("slow")) // may or may not come before the end
				case 1:
					k.store.Touch(ctx, []store.Touch{{ID: s.ID, At: time.Now()}})
				case 2:
					k.store.RotateRefresh(ctx, rotation)
				case 3:
					k.store.Find(ctx, s.ID)
				default:
					if _, err := k.store.End(ctx, s.ID, retain); err != nil {
						k.t.Errorf("End: %v", err)
					}
					if _, err := k.store.Find(ctx, s.ID); !errors.Is(err, store.ErrNotFound) {
						k.t.Errorf("after End returned, Find says %v, want %v", err, store.ErrNotFound)
					}
				}
			})
			k.isGone(s.ID)
			k.lists(store.Query{User: "john"})
			if n := logged(k.log(), s.ID); n != 1 {
				k.t.Fatalf("the session has %d log entries, want 1", n)
			}
		}
	}},
	{name: "are copies", why: "A session's values are what was saved, whatever the caller does with his bytes afterwards.", check: func(k *kit) {
		c := login("john")
		c.Values = []byte("first")
		s := k.create(c)
		copy(c.Values, "XXXXX")
		if v, _ := k.values(s.ID); string(v) != "first" {
			k.t.Errorf("got %q, want \"first\"", v)
		}
		saved := []byte("saved")
		k.ok(k.store.SaveValues(k.t.Context(), s.ID, 1, saved))
		copy(saved, "XXXXX")
		if v, _ := k.values(s.ID); string(v) != "saved" {
			k.t.Errorf("got %q, want \"saved\"", v)
		}
	}},
	{name: "neighbours", why: "SaveValues replaces the values of that session, and touches nothing else.", check: func(k *kit) {
		type one struct {
			store.Session
			values string
		}
		var all []one
		for i := range 40 {
			c := login(cmp.Or(fmt.Sprint("user", i%7), ""))
			c.Values = bytes.Repeat([]byte{byte(i)}, i*13)
			all = append(all, one{k.create(c), string(c.Values)})
		}
		for round := range 5 {
			for i := range all {
				all[i].values = string(bytes.Repeat([]byte{byte(i + round)}, (i*37+round*911)%2500))
				k.ok(k.store.SaveValues(k.t.Context(), all[i].ID, uint64(round+1), []byte(all[i].values)))
			}
			for _, a := range all {
				if v, _ := k.values(a.ID); string(v) != a.values {
					k.t.Fatalf("round %d: %d bytes of values, want %d others", round, len(v), len(a.values))
				}
				found := k.find(a.ID)
				found.AsOf = a.AsOf
				if found != a.Session {
					k.t.Fatalf("round %d: got %+v, want %+v", round, found, a.Session)
				}
			}
		}
	}},
}

// waysToEnd are all the ways to end one session, for what must hold after each.
var waysToEnd = map[string]func(*kit, store.Session){
	"End":     func(k *kit, s store.Session) { k.end(s.ID) },
	"EndUser": func(k *kit, s store.Session) { k.endUser(s.User, store.SID{}) },
	"EndAll":  func(k *kit, s store.Session) { k.endAll() },
	"Replaces": func(k *kit, s store.Session) {
		c := login("another")
		c.Replaces = s.ID
		k.create(c)
	},
}

var touchRules = []rule{
	{name: "forward", why: "Touch moves LastSeen of the live sessions among those named forward to At.", timed: true, check: func(k *kit) {
		a, b := k.createFor("john"), k.createFor("")
		k.wait(4)
		at := a.Created.Add(k.ticks(2))
		k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: a.ID, At: at}}))
		if got := k.find(a.ID).LastSeen; !got.Equal(at) {
			k.t.Errorf("last seen %v, want %v", got, at)
		}
		if got := k.find(b.ID).LastSeen; !got.Equal(b.LastSeen) {
			k.t.Errorf("the other session was last seen %v, want %v", got, b.LastSeen)
		}
	}},
	{name: "never backward", why: "Touch moves LastSeen … never backward.", timed: true, check: func(k *kit) {
		s := k.createFor("john")
		k.wait(4)
		for _, at := range []time.Time{s.Created.Add(k.ticks(3)), s.Created.Add(k.ticks(1)), s.Created.Add(-time.Hour), {}} {
			k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: s.ID, At: at}}))
		}
		if got, want := k.find(s.ID).LastSeen, s.Created.Add(k.ticks(3)); !got.Equal(want) {
			k.t.Errorf("last seen %v, want %v", got, want)
		}
	}},
	{name: "never ahead", why: "Touch moves LastSeen … never past the store's own time.", check: func(k *kit) {
		s := k.createFor("john")
		k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: s.ID, At: time.Now().Add(365 * 24 * time.Hour)}}))
		if got := k.find(s.ID); got.LastSeen.After(got.AsOf) {
			k.t.Errorf("last seen %v, as of %v", got.LastSeen, got.AsOf)
		}
	}},
	{name: "nothing else", why: "Touch … touches nothing else. (D7)", timed: true, check: func(k *kit) {
		c := login("john")
		c.Values = []byte("values")
		s := k.create(c)
		k.wait(2)
		at := s.Created.Add(k.ticks(1))
		k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: s.ID, At: at}}))
		got := k.find(s.ID)
		s.LastSeen, s.AsOf = at.UTC(), got.AsOf
		got.LastSeen = got.LastSeen.UTC()
		if got != s {
			k.t.Errorf("got %+v, want %+v", got, s)
		}
		if v, version := k.values(s.ID); string(v) != "values" || version != 1 {
			k.t.Errorf("got %q in version %d, want \"values\" in version 1", v, version)
		}
	}},
	{name: "never revives", why: "A session that has ended or expired is passed over silently: a touch never revives. (D1)", timed: true, check: func(k *kit) {
		live, ended := k.createFor("jane"), k.createFor("john")
		k.end(ended.ID)
		c := login("john")
		c.Session.Idle = k.ticks(2)
		expired := k.create(c)
		k.wait(4)
		var touches []store.Touch
		for _, id := range []store.SID{ended.ID, expired.ID, store.NewSID(time.Now()), live.ID} {
			touches = append(touches, store.Touch{ID: id, At: live.Created.Add(k.ticks(1))})
		}
		k.ok(k.store.Touch(k.t.Context(), touches))
		k.isGone(ended.ID)
		k.isGone(expired.ID)
		if got := k.find(live.ID).LastSeen; !got.After(live.LastSeen) {
			k.t.Error("the live session among them was not touched")
		}
	}},
	{name: "at most", why: "MaxTouchSize: the touches of one Touch.", check: func(k *kit) {
		s := k.createFor("john")
		touches := slices.Repeat([]store.Touch{{ID: s.ID, At: time.Now()}}, store.MaxTouchSize+1)
		k.ok(k.store.Touch(k.t.Context(), touches[1:]))
		k.refuses(k.store.Touch(k.t.Context(), touches), store.ErrTooLarge)
		k.ok(k.store.Touch(k.t.Context(), nil))
	}},
}

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
