package memory

import (
	"iter"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

type slot = *entry

// An entry is what the store keeps of one session.
type entry struct {
	store.Session
	version uint64
	values  []byte
	refresh refresh
}

type table struct {
	byID   map[store.SID]*entry
	byUser map[string]map[store.SID]*entry
}

func newTable() table {
	return table{map[store.SID]*entry{}, map[string]map[store.SID]*entry{}}
}

func (t *table) len() int { return len(t.byID) }

func (t *table) find(id store.SID) (slot, bool) { e, ok := t.byID[id]; return e, ok }

func (t *table) id(i slot) store.SID { return i.ID }

func (t *table) live(i slot, now time.Time) bool { return now.Before(i.Expires()) }

func (t *table) session(i slot) store.Session { return i.Session }

func (t *table) load(i slot) entry { return *i }

func (t *table) save(i slot, e entry) {
	e.values = slices.Clone(e.values)
	*i = e
}

func (t *table) touch(i slot, at time.Time) {
	if at.After(i.LastSeen) {
		i.LastSeen = at
	}
}

func (t *table) add(e entry) {
	e.values = slices.Clone(e.values)
	e.Deadline = e.Deadline.UTC().Truncate(time.Millisecond)
	e.AuthTime = e.AuthTime.UTC().Truncate(time.Millisecond)
	t.byID[e.ID] = &e
	if e.User == "" {
		return
	}
	if t.byUser[e.User] == nil {
		t.byUser[e.User] = map[store.SID]*entry{}
	}
	t.byUser[e.User][e.ID] = &e
}

func (t *table) remove(i slot) {
	delete(t.byID, i.ID)
	delete(t.byUser[i.User], i.ID)
	if len(t.byUser[i.User]) == 0 {
		delete(t.byUser, i.User)
	}
}

func (t *table) all() iter.Seq[slot] {
	return func(yield func(slot) bool) {
		for _, e := range t.byID {
			if !yield(e) {
				return
			}
		}
	}
}

func (t *table) ofUser(user string) iter.Seq[slot] {
	return func(yield func(slot) bool) {
		for _, e := range t.byUser[user] {
			if !yield(e) {
				return
			}
		}
	}
}

func (t *table) sweep(now time.Time, limit int) (int, bool) {
	removed := 0
	for _, e := range t.byID {
		if removed == limit {
			return removed, false
		}
		if !t.live(e, now) {
			t.remove(e)
			removed++
		}
	}
	return removed, true
}
