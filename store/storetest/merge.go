package storetest

import (
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// remembered is the entry of a session's end as a follower knows it from
// another history of the log.
func (k *kit) remembered(id store.SID) store.Entry {
	k.t.Helper()
	return store.Entry{
		Cursor:  store.Cursor{Pos: 42, ID: digestID()},
		Kind:    store.SessionEnded,
		Session: id,
		Expires: k.follow(store.Cursor{}).Now.Add(retain),
	}
}

// rememberedCut is the same of the end of all sessions.
func (k *kit) rememberedCut() store.Entry {
	k.t.Helper()
	e := k.remembered(store.NewSID(time.Now().Add(-time.Minute)))
	e.Kind = store.AllEnded
	return e
}

func (k *kit) merge(entries ...store.Entry) {
	k.t.Helper()
	k.ok(k.store.Merge(k.t.Context(), entries))
}

// changesNothing checks that a step leaves the log as it is.
func (k *kit) changesNothing(step func()) {
	k.t.Helper()
	before := k.log()
	step()
	if after := k.log(); !slices.Equal(after, before) {
		k.t.Fatalf("the log was %+v, now it is %+v", before, after)
	}
}

// appended returns the one entry of the log that names what e names.
func (k *kit) appended(e store.Entry) store.Entry {
	k.t.Helper()
	found := slices.DeleteFunc(k.log(), func(l store.Entry) bool { return l.Kind != e.Kind || l.Session != e.Session })
	if len(found) != 1 {
		k.t.Fatalf("the log has %d entries of kind %d for %v, want 1", len(found), e.Kind, e.Session)
	}
	return found[0]
}

var mergeRules = []rule{
	{name: "sessions", why: "Merge ends the sessions that the entries name, and appends those that the log does not hold.", check: func(k *kit) {
		c := login("john")
		rotation := withRefresh(&c)
		gone, kept := k.create(c), k.createFor("john")
		k.merge(k.remembered(gone.ID))
		k.isGone(gone.ID)
		k.isLive(kept.ID)
		k.lists(store.Query{User: "john"}, kept.ID)
		k.lists(store.Query{}, kept.ID)
		k.isLogged(gone.ID)
		_, _, err := k.store.Values(k.t.Context(), gone.ID)
		k.refuses(err, store.ErrNotFound)
		_, err = k.store.RotateRefresh(k.t.Context(), rotation)
		k.refuses(err, store.ErrNotFound)
		if e := k.end(gone.ID); e.Count != 0 || e.Head.Pos != 1 {
			k.t.Errorf("ending it again: got %+v", e)
		}
	}},
	{name: "of sessions unknown here", why: "Merge adds entries that a follower knows from before the store lost them: also of sessions that were lost with them.", check: func(k *kit) {
		id := store.NewSID(time.Now())
		k.merge(k.remembered(id))
		k.isLogged(id)
	}},
	{name: "as new entries", why: "With the same Expires and new positions and ids.", check: func(k *kit) {
		first := k.end(k.createFor("john").ID).Head
		given := []store.Entry{k.remembered(k.createFor("john").ID), k.remembered(store.NewSID(time.Now()))}
		given[1].Expires = given[1].Expires.Add(17*time.Minute + 123*time.Millisecond)
		given[1].Pos = 1 << 40
		k.merge(given...)
		news := k.follow(first)
		k.isWhole(first, news.Entries)
		if len(news.Entries) != len(given) || news.Head.Pos != 3 {
			k.t.Fatalf("after the merge: got %+v, want 2 entries", news)
		}
		for _, e := range given {
			got := k.appended(e)
			if !got.Expires.Equal(e.Expires) {
				k.t.Errorf("it expires at %v, want %v", got.Expires, e.Expires)
			}
			if got.ID == e.ID {
				k.t.Errorf("the entry has the id that it had in the other history")
			}
		}
		if next := k.end(k.createFor("john").ID).Head; next.Pos != 4 {
			k.t.Errorf("the next position is %d, want 4", next.Pos)
		}
	}},
	{name: "never expires early", why: "Expires: nothing issued for the session works after this. Times have the precision of a millisecond: fractions are rounded up.", check: func(k *kit) {
		e := k.remembered(store.NewSID(time.Now()))
		e.Expires = e.Expires.Truncate(time.Millisecond).Add(345 * time.Microsecond)
		k.merge(e)
		if got := k.appended(e).Expires; got.Before(e.Expires) || got.After(e.Expires.Add(time.Millisecond)) {
			k.t.Errorf("it expires at %v, want %v", got, e.Expires)
		}
	}},
	{name: "again", why: "The log is a set that only grows, so merging is safe, and merging again changes nothing.", check: func(k *kit) {
		entries := []store.Entry{k.remembered(k.createFor("john").ID), k.remembered(store.NewSID(time.Now()))}
		k.merge(entries...)
		generation := k.generation("john")
		kept := k.createFor("john")
		k.changesNothing(func() {
			k.merge(entries...)
			k.merge(entries[1], entries[0])
			k.merge(k.log()...)
			k.merge()
		})
		k.isLive(kept.ID)
		if now := k.generation("john"); now != generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
	}},
	{name: "what the log holds", why: "It holds an entry if it has one of the same Kind for the same Session, whatever their positions and ids.", check: func(k *kit) {
		ended := k.createFor("john")
		k.end(ended.ID)
		later := k.remembered(ended.ID)
		later.Expires = later.Expires.Add(-time.Minute)
		missing := k.remembered(store.NewSID(time.Now()))
		k.merge(later, missing)
		k.isLogged(ended.ID, missing.Session)
	}},
	{name: "twice in one call", why: "The log is a set.", check: func(k *kit) {
		s, cut := k.remembered(k.createFor("john").ID), k.rememberedCut()
		other := s
		other.Cursor = store.Cursor{Pos: 7, ID: digestID()}
		k.merge(s, cut, other, s, cut)
		k.appended(s)
		k.appended(cut)
		if n := len(k.log()); n != 3 { // and the cut that was made here
			k.t.Errorf("the log has %d entries, want 3", n)
		}
	}},
	{name: "what has expired", why: "What has expired is passed over, and ends nothing: whatever ends a session appends to the log.", check: func(k *kit) {
		s := k.createFor("john")
		generation := k.generation("john")
		old, oldCut := k.remembered(s.ID), k.rememberedCut()
		old.Expires = old.Expires.Add(-retain - time.Second)
		oldCut.Expires = old.Expires
		fresh := k.remembered(store.NewSID(time.Now()))
		k.merge(old, fresh, oldCut)
		k.isLogged(fresh.Session)
		k.isLive(s.ID)
		if now := k.generation("john"); now != generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
	}},
	{name: "no generation", why: "The generation counts up whenever all of the user's sessions are ended: not when one is.", check: func(k *kit) {
		generation := k.generation("john")
		k.merge(k.remembered(k.createFor("john").ID))
		if now := k.generation("john"); now != generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
	}},
	{name: "all", why: "For an entry of kind AllEnded that the log does not hold it does what EndAll does, retaining until that entry expires, and appends the entry as well.", check: func(k *kit) {
		gone := []store.Session{k.createFor("john"), k.createFor("jane"), k.createFor("")}
		generation := k.generation("john")
		late := login("john")
		late.Generation = generation
		cut := k.rememberedCut()
		before := k.follow(store.Cursor{}).Now
		k.merge(cut)
		for _, s := range gone {
			k.isGone(s.ID)
			k.lists(store.Query{User: s.User})
		}
		_, err := k.store.Create(k.t.Context(), late)
		k.refuses(err, store.ErrSuperseded)
		if now := k.generation("john"); now <= generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
		if got := k.appended(cut); !got.Expires.Equal(cut.Expires) {
			k.t.Errorf("the entry expires at %v, want %v", got.Expires, cut.Expires)
		}
		cuts := k.log()
		if len(cuts) != 2 {
			k.t.Fatalf("the log is %+v, want the entry and a cut of its own", cuts)
		}
		for _, own := range cuts {
			if own.Session == cut.Session {
				continue
			}
			k.isCut(own, before)
			if own.Expires.Before(cut.Expires) || own.Expires.After(cut.Expires.Add(time.Millisecond)) {
				k.t.Errorf("the cut made here expires at %v, want %v", own.Expires, cut.Expires)
			}
		}
	}},
	{name: "all, again", why: "Merging again changes nothing: who has logged in since stays.", check: func(k *kit) {
		cut := k.rememberedCut()
		k.merge(cut)
		kept, generation := k.createFor("john"), k.generation("john")
		k.changesNothing(func() {
			k.merge(cut)
			k.merge(k.log()...)
		})
		k.isLive(kept.ID)
		if now := k.generation("john"); now != generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
	}},
	{name: "all, known", why: "For an entry of kind AllEnded that the log does not hold: one that it holds ends nobody.", check: func(k *kit) {
		k.endAll()
		kept, generation := k.createFor("john"), k.generation("john")
		k.changesNothing(func() { k.merge(k.log()...) })
		k.isLive(kept.ID)
		if now := k.generation("john"); now != generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
	}},
	{name: "two followers", why: "Merging is safe: of several followers that remember the same each entry is appended once.", check: func(k *kit) {
		const n = 20
		var entries []store.Entry
		for i := range n {
			id := store.NewSID(time.Now())
			if i%2 == 0 {
				id = k.createFor("john").ID
			}
			entries = append(entries, k.remembered(id))
		}
		cut := k.rememberedCut()
		parallel(4, func(i int) {
			mine := append(slices.Clone(entries), cut)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			for j := range mine {
				mine[j].Cursor = store.Cursor{Pos: uint64(100*i + j + 1), ID: digestID()}
			}
			for part := range slices.Chunk(mine, 7) {
				if err := k.store.Merge(k.t.Context(), part); err != nil {
					k.t.Errorf("Merge: %v", err)
				}
			}
		})
		for _, e := range entries {
			k.appended(e)
			k.isGone(e.Session)
		}
		k.appended(cut)
		if got := len(k.log()); got != n+2 { // the cut, and the one made here
			k.t.Errorf("the log has %d entries, want %d", got, n+2)
		}
	}},
	{name: "while sessions end", why: "Whoever ends a session appends to the log in the same transaction: one end, one entry, whether by Merge or by End.", check: func(k *kit) {
		for range 15 {
			s := k.createFor("john")
			e := k.remembered(s.ID)
			parallel(3, func(i int) {
				var err error
				if i == 0 {
					_, err = k.store.End(k.t.Context(), s.ID, retain)
				} else {
					err = k.store.Merge(k.t.Context(), []store.Entry{e})
				}
				if err != nil {
					k.t.Errorf("End or Merge: %v", err)
				}
			})
			k.isGone(s.ID)
			k.appended(e)
		}
	}},
	{name: "too many", why: "ErrTooLarge where there are more than MaxBatch.", check: func(k *kit) {
		s := k.createFor("john")
		entries := slices.Repeat([]store.Entry{k.remembered(s.ID)}, store.MaxBatch+1)
		k.refuses(k.store.Merge(k.t.Context(), entries), store.ErrTooLarge)
		k.isLive(s.ID)
		k.isLogged()
		for i := range entries {
			entries[i].Session = store.NewSID(entries[i].Expires)
		}
		k.merge(entries[1:]...)
		news := k.follow(store.Cursor{})
		k.isWhole(store.Cursor{}, news.Entries)
		if len(news.Entries) != store.MaxBatch {
			k.t.Errorf("the log has %d entries, want %d", len(news.Entries), store.MaxBatch)
		}
	}},
}

// isCut checks that an entry of kind AllEnded names the cut that was made here,
// after a time of the store's.
func (k *kit) isCut(e store.Entry, after time.Time) {
	k.t.Helper()
	now := k.follow(store.Cursor{}).Now
	at := e.Session.Time()
	if e.Kind != store.AllEnded || at.Before(after.Truncate(time.Millisecond)) || at.After(now) {
		k.t.Errorf("got %+v with the time %v, want a cut between %v and %v", e, at, after, now)
	}
}
