package feed

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// synced returns a view at the head of an empty log, with a proof.
func synced(t *testing.T, c Config) *View {
	t.Helper()
	v := NewView(c)
	v.store.set(time.Now(), v.clock.now())
	if err := v.reset(store.News{Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	prove(t, v)
	return v
}

// applyTo applies one entry at the head.
func applyTo(t *testing.T, v *View, kind store.Kind, id store.SID, expires time.Time) store.Entry {
	t.Helper()
	history, at, _ := v.place()
	e := store.Entry{Cursor: store.Cursor{Pos: at.Pos + 1, ID: store.NewNodeID()}, Kind: kind, Session: id, Expires: expires}
	if err := v.apply(history, at, []store.Entry{e}); err != nil {
		t.Fatal(err)
	}
	return e
}

// why: "Hold is how long an ended session is remembered at least, counted from
// when this process learns of its end. A log entry may say longer; two hours
// are the most."
func TestViewRemembers(t *testing.T) {
	const hold = 15 * time.Minute
	for _, test := range []struct {
		why     string
		expires time.Duration
		kept    time.Duration
	}{
		{"it has expired when it is learned of", -time.Hour, hold},
		{"it expires sooner than what was issued", time.Minute, hold},
		{"it says longer", 40 * time.Minute, 40 * time.Minute},
		{"it says much longer", 100 * time.Hour, maxHold},
	} {
		synctest.Test(t, func(t *testing.T) {
			v, id := synced(t, Config{Bound: simBound, Hold: hold}), store.NewSID(time.Now())
			applyTo(t, v, store.SessionEnded, id, time.Now().Add(test.expires))
			time.Sleep(test.kept)
			v.set.prune(v.Now())
			if !v.Ended(id) {
				t.Errorf("forgotten within %v, where %s", test.kept, test.why)
			}
			time.Sleep(bucketWidth)
			v.set.prune(v.Now())
			if v.Ended(id) {
				t.Errorf("remembered for %v and more, where %s", test.kept+bucketWidth, test.why)
			}
		})
	}
}

// why: "OnEnd is called for each entry of the log after the set has it, in
// order. OnReset is called after the view was built anew."
func TestViewTells(t *testing.T) {
	var v *View
	var told []store.SID
	resets := 0
	v = NewView(Config{
		Bound: simBound, Hold: simHold,
		OnEnd: func(e store.Entry) {
			if e.Kind == store.SessionEnded && !v.Ended(e.Session) {
				t.Error("told before the set has it")
			}
			told = append(told, e.Session)
		},
		OnReset: func() { resets++ },
	})
	if err := v.reset(store.News{}); err != nil || resets != 1 {
		t.Errorf("%d resets, %v", resets, err)
	}
	var want []store.SID
	for range 10 {
		want = append(want, store.NewSID(time.Now()))
		applyTo(t, v, store.SessionEnded, want[len(want)-1], time.Now())
	}
	if len(told) != len(want) {
		t.Fatalf("told of %d of %d", len(told), len(want))
	}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("told of %v in the place of %v", told[i], want[i])
		}
	}
}

// why: "Cut is the store's time at which everybody's sessions were last ended",
// whatever order the log tells of it in.
func TestViewCut(t *testing.T) {
	v := synced(t, Config{Bound: simBound, Hold: simHold})
	if !v.Cut().IsZero() {
		t.Error("a cut before there was one")
	}
	for _, at := range []time.Time{noon, noon.Add(time.Hour), noon.Add(time.Minute)} {
		applyTo(t, v, store.AllEnded, store.NewSID(at), time.Now().Add(simHold))
	}
	if got, want := v.Cut(), noon.Add(time.Hour); !got.Equal(want) {
		t.Errorf("the cut is at %v, not %v", got, want)
	}
	news := store.News{Now: time.Now()} // a store that has lost all of it
	if err := v.reset(news); err != nil || !v.Cut().Equal(noon.Add(time.Hour)) {
		t.Errorf("a snapshot without it takes the cut back: %v, %v", v.Cut(), err)
	}
	if lost := v.lost(v.clock.now()); len(lost) != 1 || lost[0].Kind != store.AllEnded {
		t.Errorf("gives back %v", lost)
	}
}

// why: to give the end of everybody's sessions back to a store that has not lost
// it, but forgotten in its time, ends everybody's sessions again.
func TestViewKeepsAnOldCutToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := synced(t, Config{Bound: simBound, Hold: simHold})
		cut := time.Now()
		applyTo(t, v, store.AllEnded, store.NewSID(cut), cut.Add(time.Minute)) // learned of late
		time.Sleep(2 * time.Minute)
		if err := v.reset(store.News{Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if lost := v.lost(v.clock.now()); len(lost) != 0 {
			t.Errorf("gives back %v, which has expired", lost)
		}
		if !v.Cut().Equal(cut) {
			t.Errorf("the cut is at %v, not %v", v.Cut(), cut)
		}
	})
}

// why: "A view that is full lets its lease end", and forgets nothing for it.
func TestViewFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		v, f, _ := newFollowing(s)
		v.set.max = 3
		ids := []store.SID{s.end(t), s.end(t), s.end(t)}
		during(t, f, func() {
			time.Sleep(simBound)
			if !v.Status().Proven {
				t.Fatal("unproven, though it holds all")
			}
			s.end(t)
			time.Sleep(2 * simBound)
			if v.Status().Proven {
				t.Error("proven, though it does not hold all")
			}
			for _, id := range ids {
				if !v.Ended(id) {
					t.Error("what it held is gone")
				}
			}
			time.Sleep(simHold + bucketWidth)
			if !v.Status().Proven {
				t.Error("unproven, though there is room again")
			}
		})
	})
}

// why: followers are told everything after the place where they stand, or that
// it is not known; the view keeps the last entries only.
func TestViewSince(t *testing.T) {
	v := synced(t, Config{Bound: simBound, Hold: simHold})
	var log []store.Entry
	for range recentEntries + 10 {
		log = append(log, applyTo(t, v, store.SessionEnded, numbered(len(log)), time.Now()))
	}
	for _, test := range []struct {
		why   string
		after store.Cursor
		known bool
		first uint64
	}{
		{"the head", log[len(log)-1].Cursor, true, 0},
		{"one before", log[len(log)-2].Cursor, true, uint64(len(log))},
		{"the oldest that is kept", log[recentEntries/2-1].Cursor, true, recentEntries/2 + 1},
		{"one that is forgotten", log[recentEntries/2-2].Cursor, false, 0},
		{"the beginning", store.Cursor{}, false, 0},
		{"another history", store.Cursor{Pos: uint64(len(log)) - 1, ID: store.NewNodeID()}, false, 0},
		{"the future", store.Cursor{Pos: uint64(len(log)) + 1}, false, 0},
	} {
		entries, head, _, known := v.since(test.after, 7)
		if known != test.known || head != log[len(log)-1].Cursor || len(entries) > 7 {
			t.Errorf("%s: known %v, %d entries, head %v", test.why, known, len(entries), head)
		}
		if test.first > 0 && (len(entries) == 0 || entries[0].Pos != test.first) {
			t.Errorf("%s: the entries begin elsewhere", test.why)
		}
	}
}
