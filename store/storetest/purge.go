package storetest

import (
	"github.com/counterfoil/counterfoil/store"
)

var purgeRules = []rule{
	{name: "expired sessions", why: "Purge removes at most limit expired sessions … and returns how many it removed.", timed: true, check: func(k *kit) {
		kept := k.createFor("john")
		for range 25 {
			c := login("john")
			c.Session.Idle = k.ticks(1)
			k.create(c)
		}
		k.purges(10, 0)
		k.wait(3)
		k.purges(10, 10)
		k.purges(10, 10)
		k.purges(10, 5)
		k.purges(10, 0)
		k.lists(store.Query{User: "john"}, kept.ID)
		k.isLogged()
	}},
	{name: "expired entries", why: "Purge removes … at most limit expired log entries and returns how many it removed.", timed: true, check: func(k *kit) {
		for range 25 {
			_, err := k.store.End(k.t.Context(), k.createFor("john").ID, k.ticks(1))
			k.ok(err)
		}
		k.purges(10, 0)
		k.wait(3)
		k.purges(10, 10)
		k.purges(10, 10)
		k.purges(10, 5)
		k.purges(10, 0)
	}},
	{name: "what was touched", why: "Purge removes expired sessions; one that was used again has not expired.", timed: true, check: func(k *kit) {
		c := login("john")
		c.Session.Idle = k.ticks(4)
		s := k.create(c)
		k.wait(3)
		k.ok(k.store.Touch(k.t.Context(), []store.Touch{{ID: s.ID, At: k.find(s.ID).AsOf}}))
		k.wait(2)
		k.purges(10, 0)
		k.isLive(s.ID)
	}},
	{name: "nothing", why: "Purge removes at most limit.", timed: true, check: func(k *kit) {
		c := login("john")
		c.Session.Idle = k.ticks(1)
		k.create(c)
		k.wait(2)
		k.purges(0, 0)
		k.purges(1000, 1)
	}},
	{name: "room for requests", why: "It holds no lock for longer than such a batch needs: purging and writing go on side by side.", timed: true, check: func(k *kit) {
		for range 200 {
			c := login("john")
			c.Session.Idle = k.ticks(1)
			k.create(c)
		}
		k.wait(2)
		kept := k.createFor("jane")
		parallel(4, func(i int) {
			for version := range uint64(20) {
				var err error
				if i == 0 {
					err = k.store.SaveValues(k.t.Context(), kept.ID, version+1, []byte("value"))
				} else {
					_, err = k.store.Purge(k.t.Context(), 10)
				}
				if err != nil {
					k.t.Errorf("beside a purge: %v", err)
				}
			}
		})
		k.purges(1000, 0)
		k.lists(store.Query{}, kept.ID)
	}},
}

// purges checks how many a purge removes.
func (k *kit) purges(limit, want int) {
	k.t.Helper()
	got, err := k.store.Purge(k.t.Context(), limit)
	k.ok(err)
	if got != want {
		k.t.Fatalf("Purge(%d) removed %d, want %d", limit, got, want)
	}
}
