package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

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
