package storetest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

var logRules = []rule{
	{name: "empty", why: "The zero Cursor is the place before the first entry.", check: func(k *kit) {
		news := k.follow(store.Cursor{})
		if len(news.Entries) != 0 || news.Head != (store.Cursor{}) {
			k.t.Errorf("got %+v, want no entry and the zero head", news)
		}
		if news.Now.IsZero() {
			k.t.Error("Now is zero, want the store's time")
		}
	}},
	{name: "in pages", why: "Follow returns the entries after the cursor: gap-free, in order of position, at most limit.", check: func(k *kit) {
		var want []store.SID
		for range 11 {
			want = append(want, k.createFor("john").ID)
			k.end(want[len(want)-1])
		}
		var got []store.SID
		cursor := store.Cursor{}
		for {
			news, err := k.store.Follow(k.t.Context(), cursor, 4)
			k.ok(err)
			k.isWhole(cursor, news.Entries)
			if len(news.Entries) > 4 {
				k.t.Fatalf("a page has %d entries, want at most 4", len(news.Entries))
			}
			if news.Head.Pos != uint64(len(want)) {
				k.t.Fatalf("the head is at %d, want %d", news.Head.Pos, len(want))
			}
			for _, e := range news.Entries {
				got = append(got, e.Session)
				cursor = e.Cursor
			}
			if cursor == news.Head {
				break
			}
		}
		if !slices.Equal(got, want) {
			k.t.Errorf("got %v, want %v", got, want)
		}
	}},
	{name: "order of commits", why: "Positions are dense: each is one more than the one before, in the order of commits. A follower that has applied the head is up to date.", check: func(k *kit) {
		last := store.Cursor{}
		for range 20 {
			e := k.end(k.createFor("john").ID)
			if e.Head.Pos != last.Pos+1 {
				k.t.Fatalf("the head went from %d to %d", last.Pos, e.Head.Pos)
			}
			last = e.Head
		}
		k.createFor("john")
		if head := k.follow(last).Head; head != last {
			k.t.Errorf("a login moved the head from %v to %v", last, head)
		}
	}},
	{name: "a follower among writers", why: "Follow is gap-free, in order of position: a follower sees every ended session exactly once.", check: checkFollower},
	{name: "ahead of the answer", why: "Head: the log's head afterwards; every node that has reached it refuses them.", check: func(k *kit) {
		parallel(8, func(int) {
			for range 10 {
				c := login("john")
				if _, err := k.store.Create(k.t.Context(), c); err != nil {
					k.t.Errorf("Create: %v", err)
					return
				}
				e, err := k.store.End(k.t.Context(), c.Session.ID, retain)
				if err != nil {
					k.t.Errorf("End: %v", err)
					return
				}
				news, err := k.store.Follow(k.t.Context(), store.Cursor{}, store.MaxBatch)
				if err != nil {
					k.t.Errorf("Follow: %v", err)
					return
				}
				i := slices.IndexFunc(news.Entries, func(e store.Entry) bool { return e.Session == c.Session.ID })
				if i < 0 || news.Entries[i].Pos > e.Head.Pos {
					k.t.Errorf("the entry is at index %d, behind the head %d that End returned", i, e.Head.Pos)
				}
			}
		})
	}},
	{name: "another history", why: "ErrUnknownCursor: the log does not hold that position with that id.", check: func(k *kit) {
		k.end(k.createFor("john").ID)
		e := k.end(k.createFor("john").ID)
		for _, bad := range []store.Cursor{
			{Pos: e.Head.Pos, ID: digestID()},     // another entry stood there
			{Pos: e.Head.Pos},                     // none did
			{Pos: e.Head.Pos - 1, ID: e.Head.ID},  // this one stood elsewhere
			{Pos: e.Head.Pos + 1, ID: digestID()}, // it is ahead of the head
			{Pos: ^uint64(0), ID: e.Head.ID},      // and far ahead
			{Pos: 1 << 63, ID: e.Head.ID},         // beyond what SQL can count
			{ID: digestID()},                      // not the zero cursor
		} {
			_, err := k.store.Follow(k.t.Context(), bad, 10)
			k.refuses(err, store.ErrUnknownCursor)
		}
		if news := k.follow(e.Head); len(news.Entries) != 0 || news.Head != e.Head {
			k.t.Errorf("at the head: got %+v", news)
		}
	}},
	{name: "snapshot", why: "Snapshot returns every entry of the log that has not expired, in order, and the head that they lead to.", timed: true, check: func(k *kit) {
		ids := []store.SID{k.createFor("john").ID, k.createFor("john").ID, k.createFor("john").ID}
		for i, keep := range []time.Duration{k.ticks(10), k.ticks(2), k.ticks(10)} {
			_, err := k.store.End(k.t.Context(), ids[i], keep)
			k.ok(err)
		}
		all := k.log()
		news, err := k.store.Snapshot(k.t.Context())
		k.ok(err)
		if !slices.Equal(news.Entries, all) || news.Head != all[2].Cursor {
			k.t.Errorf("at first: got %+v, want %+v", news, all)
		}
		k.wait(4)
		news, err = k.store.Snapshot(k.t.Context())
		k.ok(err)
		if want := []store.Entry{all[0], all[2]}; !slices.Equal(news.Entries, want) || news.Head != all[2].Cursor {
			k.t.Errorf("after one has expired: got %+v, want %+v and the head %v", news, want, all[2].Cursor)
		}
		if news.Now.Before(all[1].Expires) {
			k.t.Errorf("Now is %v, want the store's time", news.Now)
		}
	}},
	{name: "pruned", why: "ErrUnknownCursor: it was pruned. The zero cursor is before the first entry ever, so a follower that starts there misses nothing or is told.", timed: true, check: func(k *kit) {
		var cursors []store.Cursor
		for range 6 {
			e, err := k.store.End(k.t.Context(), k.createFor("john").ID, k.ticks(1))
			k.ok(err)
			cursors = append(cursors, e.Head)
		}
		k.wait(3)
		_, err := k.store.Purge(k.t.Context(), 1000)
		k.ok(err)
		last := k.end(k.createFor("john").ID).Head
		if last.Pos != uint64(len(cursors))+1 {
			k.t.Fatalf("after a purge the next position is %d, want %d", last.Pos, len(cursors)+1)
		}
		for _, cursor := range append([]store.Cursor{{}}, cursors...) {
			news, err := k.store.Follow(k.t.Context(), cursor, store.MaxBatch)
			if err != nil {
				k.refuses(err, store.ErrUnknownCursor)
				continue
			}
			k.isWhole(cursor, news.Entries)
			if n := len(news.Entries); n == 0 || news.Entries[n-1].Cursor != last {
				k.t.Errorf("from %d: %d entries, none is the last", cursor.Pos, n)
			}
		}
		snapshot, err := k.store.Snapshot(k.t.Context())
		k.ok(err)
		if len(snapshot.Entries) != 1 || snapshot.Head != last {
			k.t.Fatalf("the snapshot is %+v, want the last entry only", snapshot)
		}
		if news := k.follow(snapshot.Head); len(news.Entries) != 0 {
			k.t.Errorf("after the snapshot: %+v", news)
		}
	}},
	{name: "pruned to nothing", why: "Snapshot returns … the head that they lead to: a purge never moves the head.", timed: true, check: func(k *kit) {
		e, err := k.store.End(k.t.Context(), k.createFor("john").ID, k.ticks(1))
		k.ok(err)
		k.wait(3)
		_, err = k.store.Purge(k.t.Context(), 1000)
		k.ok(err)
		snapshot, err := k.store.Snapshot(k.t.Context())
		k.ok(err)
		if len(snapshot.Entries) != 0 || snapshot.Head != e.Head {
			k.t.Fatalf("the snapshot is %+v, want no entry and the head %v", snapshot, e.Head)
		}
		if next := k.end(k.createFor("john").ID); next.Head.Pos != e.Head.Pos+1 {
			k.t.Errorf("the next position is %d, want %d: positions are never used again", next.Head.Pos, e.Head.Pos+1)
		}
	}},
}

// checkFollower lets eight writers end sessions in every way while a follower
// reads along, and compares what he saw with what they did.
func checkFollower(k *kit) {
	const writers, rounds = 8, 15
	var mu sync.Mutex
	ended := map[store.SID]bool{}
	var done atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()

	seen := make(chan []store.Entry, 1)
	wg.Go(func() {
		var entries []store.Entry
		defer func() { seen <- entries }()
		cursor := store.Cursor{}
		for {
			last := done.Load() // read before the log, so that nothing comes after the last round
			news, err := k.store.Follow(k.t.Context(), cursor, 7)
			if err != nil {
				k.t.Errorf("Follow: %v", err)
				return
			}
			entries = append(entries, news.Entries...)
			if n := len(news.Entries); n > 0 {
				cursor = news.Entries[n-1].Cursor
			}
			if last && cursor == news.Head {
				return
			}
		}
	})

	parallel(writers, func(i int) {
		user := string(rune('a' + i))
		for range rounds {
			ids, err := k.endSome(user)
			if err != nil {
				k.t.Errorf("writer %s: %v", user, err)
				return
			}
			mu.Lock()
			for _, id := range ids {
				ended[id] = true
			}
			mu.Unlock()
		}
	})
	done.Store(true)

	entries := <-seen
	k.isWhole(store.Cursor{}, entries)
	if len(entries) != len(ended) {
		k.t.Errorf("the follower saw %d entries of %d ended sessions", len(entries), len(ended))
	}
	for id := range ended {
		if n := logged(entries, id); n != 1 {
			k.t.Errorf("the follower saw session %v end %d times, want once", id, n)
		}
	}
}

// endSome creates sessions, ends them by End, by Replaces, by Limit and by
// EndUser, and returns their ids.
func (k *kit) endSome(user string) ([]store.SID, error) {
	first, second, third := login(user), login(user), login(user)
	second.Replaces = first.Session.ID
	third.Limit = 1
	ids := []store.SID{first.Session.ID, second.Session.ID, third.Session.ID}
	ctx := k.t.Context()
	for _, c := range []store.Creation{first, second, third} {
		if _, err := k.store.Create(ctx, c); err != nil {
			return nil, err
		}
	}
	if _, err := k.store.EndUser(ctx, user, store.SID{}, retain); err != nil {
		return nil, err
	}
	fourth := login(user)
	if _, err := k.store.Create(ctx, fourth); err != nil {
		return nil, err
	}
	_, err := k.store.End(ctx, fourth.Session.ID, retain)
	return append(ids, fourth.Session.ID), err
}

func digestID() (id [16]byte) {
	d := digest()
	copy(id[:], d[:])
	return id
}
