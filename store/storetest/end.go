package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

var endRules = []rule{
	{name: "one", why: "End ends one session. Whoever ends one appends to the log in the same transaction. (7.4.1)", check: func(k *kit) {
		s, other := k.createFor("john"), k.createFor("john")
		e := k.end(s.ID)
		if e.Count != 1 {
			k.t.Errorf("it ended %d sessions, want 1", e.Count)
		}
		k.isGone(s.ID)
		k.isLive(other.ID)
		k.lists(store.Query{User: "john"}, other.ID)
		k.isLogged(s.ID)
		if head := k.follow(store.Cursor{}).Head; head != e.Head {
			k.t.Errorf("it returned the head %v, the log's is %v", e.Head, head)
		}
	}},
	{name: "again", why: "Ending a session that is not live changes nothing, is no error, and returns the position of the log's head, so that a repeated logout can wait for the first one.", check: func(k *kit) {
		if e := k.end(store.NewSID(time.Now())); e.Count != 0 || e.Head != (store.Cursor{}) {
			k.t.Errorf("ending nothing in an empty log: got %+v", e)
		}
		s := k.createFor("john")
		first := k.end(s.ID)
		later := k.end(k.createFor("jane").ID)
		if e := k.end(s.ID); e.Count != 0 || e.Head != later.Head || first.Head == later.Head {
			k.t.Errorf("repeated: got %+v, want no session and the head %v", e, later.Head)
		}
		if n := logged(k.log(), s.ID); n != 1 {
			k.t.Errorf("the session has %d log entries, want 1", n)
		}
	}},
	{name: "once", why: "Ending a session that is not live changes nothing: of many logouts at once one ends it.", check: func(k *kit) {
		s := k.createFor("john")
		var ended atomic.Int64
		parallel(16, func(int) {
			e, err := k.store.End(k.t.Context(), s.ID, retain)
			if err != nil || e.Head.Pos != 1 {
				k.t.Errorf("got %+v, error %v, want head position 1", e, err)
			}
			ended.Add(int64(e.Count))
		})
		if n := ended.Load(); n != 1 {
			k.t.Errorf("they ended %d sessions, want 1", n)
		}
		k.isLogged(s.ID)
	}},
	{name: "retain", why: "Expires: nothing issued for the session works after this. Retain is how long the log keeps the entries.", timed: true, check: func(k *kit) {
		s := k.createFor("john")
		k.wait(1)
		before := k.find(s.ID).AsOf
		_, err := k.store.End(k.t.Context(), s.ID, 7*time.Minute)
		k.ok(err)
		news := k.follow(store.Cursor{})
		expires := news.Entries[0].Expires
		if expires.Before(before.Add(7*time.Minute)) || expires.After(news.Now.Add(7*time.Minute+time.Millisecond)) {
			k.t.Errorf("the entry expires at %v, 7 minutes from %v … %v expected", expires, before, news.Now)
		}
	}},
	{name: "a user", why: "EndUser ends every session of the user, and appends to the log, in one transaction. (D9, 7.4.2)", check: func(k *kit) {
		a, b := k.createFor("john"), k.createFor("john")
		other, anonymous := k.createFor("jane"), k.createFor("")
		e := k.endUser("john", store.SID{})
		if e.Count != 2 {
			k.t.Errorf("it ended %d sessions, want 2", e.Count)
		}
		k.isGone(a.ID)
		k.isGone(b.ID)
		k.isLive(other.ID)
		k.isLive(anonymous.ID)
		k.isLogged(a.ID, b.ID)
		if head := k.follow(store.Cursor{}).Head; head != e.Head {
			k.t.Errorf("it returned the head %v, the log's is %v", e.Head, head)
		}
	}},
	{name: "a user except", why: "EndUser ends every session of the user except one, and counts the user's generation up. (7.4.3)", check: func(k *kit) {
		kept, gone := k.createFor("john"), k.createFor("john")
		generation := k.generation("john")
		if e := k.endUser("john", kept.ID); e.Count != 1 {
			k.t.Errorf("it ended %d sessions, want 1", e.Count)
		}
		k.isLive(kept.ID)
		k.isGone(gone.ID)
		k.isLogged(gone.ID)
		if now := k.generation("john"); now <= generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
	}},
	{name: "a user except another's", why: "EndUser ends every session of the user except one: an exception that is not his saves nothing.", check: func(k *kit) {
		gone, other := k.createFor("john"), k.createFor("jane")
		k.endUser("john", other.ID)
		k.isGone(gone.ID)
		k.isLive(other.ID)
	}},
	{name: "nobody", why: "The empty user has no sessions: anonymous ones belong to nobody.", check: func(k *kit) {
		s := k.createFor("")
		if e := k.endUser("", store.SID{}); e.Count != 0 {
			k.t.Errorf("it ended %d sessions, want 0", e.Count)
		}
		k.isLive(s.ID)
	}},
	{name: "generation", why: "Generation returns the user's generation, at least 1. It counts up whenever all of the user's sessions are ended. The user need have no session.", check: func(k *kit) {
		john, jane := k.generation("john"), k.generation("jane")
		if john < 1 || jane < 1 {
			k.t.Fatalf("the first generations are %d and %d, want at least 1", john, jane)
		}
		k.createFor("john")
		k.end(k.createFor("john").ID)
		if now := k.generation("john"); now != john {
			k.t.Errorf("logins and a logout took the generation from %d to %d", john, now)
		}
		for range 3 {
			k.endUser("john", store.SID{})
			now := k.generation("john")
			if now <= john {
				k.t.Errorf("EndUser took the generation from %d to %d", john, now)
			}
			john = now
		}
		if now := k.generation("jane"); now != jane {
			k.t.Errorf("jane's generation went from %d to %d with john's", jane, now)
		}
		k.endAll()
		if now := k.generation("john"); now <= john {
			k.t.Errorf("EndAll took john's generation from %d to %d", john, now)
		}
		if now := k.generation("jane"); now <= jane {
			k.t.Errorf("EndAll took jane's generation from %d to %d", jane, now)
		}
	}},
	{name: "login race", why: "EndUser counts the generation up, so that a login that began before is refused by Create. It does both in one transaction. (D9, req 26)", check: func(k *kit) {
		for round := range 60 {
			endAll := round%3 == 0
			var ids [4]store.SID
			parallel(len(ids)+1, func(i int) {
				ctx := k.t.Context()
				if i == len(ids) {
					if err := k.endFor("john", endAll); err != nil {
						k.t.Errorf("ending: %v", err)
					}
					return
				}
				generation, err := k.store.Generation(ctx, "john")
				if err != nil {
					k.t.Errorf("Generation: %v", err)
				}
				c := login("john")
				c.Generation, ids[i] = generation, c.Session.ID
				if _, err := k.store.Create(ctx, c); err != nil && !errors.Is(err, store.ErrSuperseded) {
					k.t.Errorf("Create: %v", err)
				}
			})
			// A survivor is fine if his login began after. So begin one before,
			// end everything, and let it finish while others end again.
			c := login("john")
			c.Generation = k.generation("john")
			var created, late error
			parallel(2, func(i int) {
				if i == 0 {
					created = k.endFor("john", endAll)
				} else {
					_, late = k.store.Create(k.t.Context(), c)
				}
			})
			k.ok(created)
			if late != nil && !errors.Is(late, store.ErrSuperseded) {
				k.t.Fatalf("Create: got error %v", late)
			}
			k.isGone(c.Session.ID) // refused, or created first and then ended
			if late == nil && !endAll && logged(k.log(), c.Session.ID) != 1 {
				k.t.Fatal("the session was created and ended without a log entry")
			}
		}
	}},
	{name: "all", why: "EndAll ends every session of everybody, anonymous ones too. It appends one entry of kind AllEnded: every session that was created before this entry has ended.", check: func(k *kit) {
		gone := []store.Session{k.createFor("john"), k.createFor("jane"), k.createFor("")}
		before := k.follow(store.Cursor{}).Now
		e := k.endAll()
		if e.Count != len(gone) && e.Count != -1 {
			k.t.Errorf("it ended %d sessions, want %d or -1", e.Count, len(gone))
		}
		for _, s := range gone {
			k.isGone(s.ID)
			k.lists(store.Query{User: s.User})
		}
		k.isLive(k.createFor("john").ID)
		entries := k.log()
		if len(entries) != 1 || entries[0].Cursor != e.Head {
			k.t.Fatalf("the log is %+v, want one entry at %v", entries, e.Head)
		}
		k.isCut(entries[0], before)
	}},
	{name: "all, each by its name", why: "Entry.Session … of AllEnded: an id made by NewSID at that moment. Two cuts are two, and a cut is no session.", check: func(k *kit) {
		seen := map[store.SID]bool{}
		for range 5 {
			k.endAll()
		}
		for _, e := range k.log() {
			if seen[e.Session] || e.Session.IsZero() {
				k.t.Errorf("the cut %v is zero, or another's", e.Session)
			}
			seen[e.Session] = true
			k.isGone(e.Session)
		}
	}},
	{name: "all, then purge", why: "EndAll ends every session of everybody; what it ended stays ended while it is cleared away.", check: func(k *kit) {
		for range 30 {
			k.createFor("john")
		}
		k.endAll()
		kept := k.createFor("john")
		for range 5 {
			_, err := k.store.Purge(k.t.Context(), 10)
			k.ok(err)
			k.lists(store.Query{User: "john"}, kept.ID)
			k.lists(store.Query{}, kept.ID)
		}
	}},
	{name: "all, in a race", why: "AllEnded: every session that was created before this entry has ended. No session that it ended was created later than the cut, by Session.Created, and none that was created after it earlier.", check: func(k *kit) {
		for round := range 20 {
			var created [9]store.Session
			parallel(len(created), func(i int) {
				var err error
				if i == round%len(created) { // not always the one that is started last, which tends to be first
					_, err = k.store.EndAll(k.t.Context(), retain)
				} else {
					created[i], err = k.store.Create(k.t.Context(), login("john"))
				}
				if err != nil {
					k.t.Errorf("Create or EndAll: %v", err)
				}
			})
			cut := k.lastCut()
			for i, s := range created { // live ones can be ended one by one, and are then in the log
				if i == round%len(created) {
					continue
				}
				e := k.end(s.ID)
				if n := logged(k.log(), s.ID); n != e.Count {
					k.t.Fatalf("ending a survivor: count %d, %d log entries", e.Count, n)
				}
				if lived := e.Count == 1; lived && s.Created.Before(cut) || !lived && s.Created.After(cut) {
					k.t.Fatalf("created at %v, cut at %v, and live after that: %v", s.Created, cut, lived)
				}
				k.isGone(s.ID)
			}
		}
	}},
}

// lastCut is when everybody's sessions were last ended.
func (k *kit) lastCut() (cut time.Time) {
	for _, e := range k.log() {
		if e.Kind == store.AllEnded {
			cut = e.Session.Time()
		}
	}
	return cut
}

// endFor ends the user's sessions, with everybody's or without.
func (k *kit) endFor(user string, all bool) error {
	var err error
	if all {
		_, err = k.store.EndAll(k.t.Context(), retain)
	} else {
		_, err = k.store.EndUser(k.t.Context(), user, store.SID{}, retain)
	}
	return err
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
