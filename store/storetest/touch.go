package storetest

import (
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

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
