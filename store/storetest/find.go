package storetest

import (
	"bytes"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

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
