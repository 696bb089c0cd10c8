package storetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// RunDurable tests what a store owes that survives its process: what was
// acknowledged before Close is there when open is called again with the same
// directory. One test reopens the store in a bubble of testing/synctest, where
// the year is 2000, to see that its clock does not follow: see [Run] about
// bubbles.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	t.Run("clock", func(t *testing.T) { checkDurableClock(t, open) })
	RunDurableRealTime(t, open)
}

// RunDurableRealTime is [RunDurable] for a store whose clock is not this
// process's, without the test in a bubble.
func RunDurableRealTime(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	for _, r := range durableRules {
		t.Run(r.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("the contract says: %s", r.why)
				}
			}()
			dir := t.TempDir()
			k := &kit{t: t, store: open(t, dir)}
			r.check(k, func() {
				k.ok(k.store.Close())
				k.store = open(t, dir)
			})
			k.ok(k.store.Close())
		})
	}
}

// checkDurableClock: "Times are the store's … its own clock, which never
// decreases, not even over a restart." Otherwise a step of the wall clock would
// revive what had expired.
func checkDurableClock(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	dir := t.TempDir()
	k := &kit{t: t, store: open(t, dir)}
	c := login("john")
	c.Session.Idle = time.Millisecond
	expired := k.create(c)
	time.Sleep(5 * time.Millisecond) // outside of a bubble time can only be waited for
	last := k.createFor("john")
	k.isGone(expired.ID)
	k.ok(k.store.Close())

	synctest.Test(t, func(t *testing.T) {
		k := &kit{t: t, store: open(t, dir)}
		if now := k.find(last.ID).AsOf; now.Before(last.Created) {
			t.Errorf("over a restart the store's time went from %v back to %v", last.Created, now)
		}
		k.isGone(expired.ID)
		if later := k.createFor("john"); later.Created.Before(last.Created) {
			t.Errorf("a session that was created later says %v, an earlier one %v", later.Created, last.Created)
		}
		k.ok(k.store.Close())
	})
}

var durableRules = []struct {
	name  string
	why   string
	check func(k *kit, reopen func())
}{
	{"sessions", "Writes that were acknowledged are safe: a session, its values, its refresh tokens.", func(k *kit, reopen func()) {
		c := login("john")
		c.Session.Persistent = true
		r := withRefresh(&c)
		s := k.create(c)
		k.ok(k.store.SaveValues(k.t.Context(), s.ID, 1, []byte("values")))
		s = k.rotate(r).Session
		reopen()
		got := k.find(s.ID)
		if got.AsOf.Before(s.AsOf) {
			k.t.Errorf("the clock went from %v back to %v", s.AsOf, got.AsOf)
		}
		got.AsOf = s.AsOf
		if got != s {
			k.t.Errorf("got %+v, want %+v", got, s)
		}
		if v, version := k.values(s.ID); string(v) != "values" || version != 2 {
			k.t.Errorf("got %q in version %d, want \"values\" in version 2", v, version)
		}
		if out := k.rotate(r); !out.Replayed || out.Sealed != r.Sealed {
			k.t.Errorf("the first token replayed: %v", out.Replayed)
		}
		k.rotate(following(r))
		k.lists(store.Query{User: "john"}, s.ID)
	}},
	{"endings", "G0: once End returned nil, no restart brings the session back.", func(k *kit, reopen func()) {
		for _, end := range waysToEnd {
			s := k.createFor("john")
			end(k, s)
			reopen()
			k.isGone(s.ID)
			k.lists(store.Query{User: "john"})
			k.refuses(k.store.SaveValues(k.t.Context(), s.ID, 1, nil), store.ErrNotFound)
		}
	}},
	{"log", "Positions are dense …; after a failover or a restore the id shows that it is another log: after a plain restart it is the same.", func(k *kit, reopen func()) {
		ids := []store.SID{k.createFor("john").ID, k.createFor("john").ID}
		middle := k.end(ids[0]).Head
		head := k.end(ids[1]).Head
		before := k.log()
		reopen()
		k.isLogged(ids...)
		if after := k.log(); after[0] != before[0] || after[1] != before[1] {
			k.t.Errorf("the log was %+v, now it is %+v", before, after)
		}
		if news := k.follow(middle); news.Head != head || len(news.Entries) != 1 {
			k.t.Errorf("from a cursor of before: got %+v, want one entry and the head %v", news, head)
		}
		if next := k.end(k.createFor("john").ID).Head; next.Pos != head.Pos+1 {
			k.t.Errorf("the next position is %d, want %d", next.Pos, head.Pos+1)
		}
	}},
	{"pruned log", "Positions are dense: a purge and a restart don't make them start again.", func(k *kit, reopen func()) {
		_, err := k.store.End(k.t.Context(), k.createFor("john").ID, time.Millisecond)
		k.ok(err)
		head := k.end(k.createFor("john").ID).Head
		time.Sleep(5 * time.Millisecond) // the store's own clock can't be moved
		_, err = k.store.Purge(k.t.Context(), 100)
		k.ok(err)
		reopen()
		snapshot, err := k.store.Snapshot(k.t.Context())
		k.ok(err)
		if snapshot.Head != head {
			k.t.Errorf("the head is %v, want %v", snapshot.Head, head)
		}
		if next := k.end(k.createFor("john").ID).Head; next.Pos != head.Pos+1 {
			k.t.Errorf("the next position is %d, want %d", next.Pos, head.Pos+1)
		}
	}},
	{"generations", "It counts up whenever all of the user's sessions are ended: a login that began before a restart is refused too. (D9)", func(k *kit, reopen func()) {
		k.endUser("john", store.SID{})
		john := k.generation("john")
		k.endAll()
		jane := k.generation("jane")
		reopen()
		if now := k.generation("john"); now <= john {
			k.t.Errorf("john's generation was at least %d, now it is %d", john+1, now)
		}
		if now := k.generation("jane"); now != jane {
			k.t.Errorf("jane's generation was %d, now it is %d", jane, now)
		}
	}},
	{"elsewhere", "InProcess reports whether the store is memory of this process: what survives the process is not.", func(k *kit, reopen func()) {
		if k.store.InProcess() {
			k.t.Error("it says that it is")
		}
	}},
	{"documents", "Writes that were acknowledged are safe: documents.", func(k *kit, reopen func()) {
		ctx := k.t.Context()
		k.ok(k.store.SwapDocument(ctx, "keys", 0, []byte("one")))
		_, version, err := k.store.Document(ctx, "keys")
		k.ok(err)
		k.ok(k.store.SwapDocument(ctx, "keys", version, []byte("two")))
		_, version, err = k.store.Document(ctx, "keys")
		k.ok(err)
		reopen()
		data, now, err := k.store.Document(ctx, "keys")
		k.ok(err)
		if string(data) != "two" || now != version {
			k.t.Errorf("got %q in version %d, want \"two\" in version %d", data, now, version)
		}
	}},
}
