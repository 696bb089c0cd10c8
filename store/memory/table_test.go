package memory

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil/store"
)

func TestIndexIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		want := map[slot]uint64{} // slots and their hashes
		// Few different hashes: everything collides, in one part.
		hash := rapid.Custom(func(t *rapid.T) uint64 { return uint64(rapid.IntRange(0, 5).Draw(t, "hash")) << 30 })
		one := func(t *rapid.T, do func(slot)) {
			if len(want) > 0 {
				do(rapid.SampledFrom(slices.Sorted(maps.Keys(want))).Draw(t, "one"))
			}
		}
		next := slot(1)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				h := hash.Draw(t, "hash")
				x.add(h, next)
				want[next] = h
				next++
			},
			"remove": func(t *rapid.T) {
				one(t, func(i slot) {
					x.remove(want[i], i)
					delete(want, i)
				})
			},
			"replace": func(t *rapid.T) {
				one(t, func(i slot) {
					x.replace(want[i], i, next)
					want[next] = want[i]
					delete(want, i)
					next++
				})
			},
			"": func(t *rapid.T) {
				for i := slot(1); i < next; i++ {
					h, ok := want[i]
					if !ok {
						h = uint64(i%6) << 30
					}
					if _, found := x.find(h, func(j slot) bool { return i == j }); found != ok {
						t.Fatalf("slot %d: found %v, want %v", i, found, ok)
					}
				}
			},
		})
	})
}

// blob returns a piece of that size with that content, but for its length.
func blob(content byte, size int) piece {
	p := bytes.Repeat([]byte{content}, size)
	p[0], p[1] = byte(size), byte(size>>8)
	return p
}

func TestSlabsKeepWhatIsNotFreed(t *testing.T) {
	type held struct {
		at      slot
		content piece
	}
	rapid.Check(t, func(t *rapid.T) {
		s := newSlabs()
		var pieces []held
		size := rapid.OneOf(
			rapid.IntRange(4, 64),
			rapid.SampledFrom([]int{smallLimit - 1, smallLimit, smallLimit + 1, maxPiece - 1, maxPiece}),
		)
		draw := func(t *rapid.T) piece { return blob(byte(len(pieces)+1), size.Draw(t, "size")) }
		one := func(t *rapid.T, do func(int)) {
			if len(pieces) > 0 {
				do(rapid.IntRange(0, len(pieces)-1).Draw(t, "which"))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				content := draw(t)
				pieces = append(pieces, held{s.alloc(content), content})
			},
			"free": func(t *rapid.T) {
				one(t, func(i int) {
					s.free(pieces[i].at)
					pieces = slices.Delete(pieces, i, i+1)
				})
			},
			"put": func(t *rapid.T) {
				one(t, func(i int) {
					if content := draw(t); s.fits(pieces[i].at, content) {
						s.put(pieces[i].at, content)
						pieces[i].content = content
					}
				})
			},
			"": func(t *rapid.T) {
				for _, p := range pieces {
					if got := s.at(p.at); !bytes.Equal(got, p.content) {
						t.Fatalf("the piece of %d bytes at %d has changed", len(p.content), p.at)
					}
				}
			},
		})
	})
}

func TestSlabsUseFreedPlacesAgain(t *testing.T) {
	s := newSlabs()
	for range 100_000 {
		s.free(s.alloc(blob(1, 100)))
	}
	if pages := s.count - 1; pages != 1 {
		t.Errorf("%d pages are used for one piece at a time, want 1", pages)
	}
}

func TestSlabsForgetWhatIsGone(t *testing.T) {
	s := newSlabs()
	short, long := blob(0xaa, 98), blob(0xbb, 103)
	i := s.alloc(long)
	s.put(i, short)
	if bytes.Contains(s.from(firstSlot), []byte{0xbb}) {
		t.Error("a shorter piece has the end of the one before")
	}
	s.free(i)
	if bytes.Contains(s.from(firstSlot), []byte{0xaa}) {
		t.Error("a freed piece still holds its content")
	}
}

func TestFullSlabs(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000).UTC()
	table := newTable(now, newGuards())
	table.pieces.max = 2 // the first of which is none
	var last store.SID
	added := 0
	for {
		e := entry{Session: store.Session{ID: store.NewSID(now), UserAgent: "some agent", Created: now, LastSeen: now, Idle: time.Hour, Deadline: now.Add(time.Hour)}, version: 1}
		if !table.add(e) {
			break
		}
		last = e.ID
		added++
	}
	if want := slabPage / 104; added != want || table.agents.at(1).uses != want {
		t.Errorf("%d sessions were added, whose agent has %d uses, want %d", added, table.agents.at(1).uses, want)
	}
	i, _ := table.find(last)
	if table.save(i, 2, make([]byte, 100)) {
		t.Error("values were saved for which there is no room")
	}
	if values, version := table.values(i); len(values) != 0 || version != 1 {
		t.Errorf("then there are %d bytes of values in version %d, want none in version 1", len(values), version)
	}
	table.remove(i)
	if e := (entry{Session: store.Session{ID: last, Created: now}, version: 1}); !table.add(e) {
		t.Error("what was removed makes no room")
	}
}

func TestEntrySurvivesPacking(t *testing.T) {
	milli := rapid.Custom(func(t *rapid.T) time.Time {
		return fromMilli(rapid.Int64Range(-62135596800000, 253402300799000).Draw(t, "ms")) // years 1 to 9999
	})
	since1970 := rapid.Custom(func(t *rapid.T) time.Time {
		return fromMilli(rapid.Int64Range(0, 253402300799000).Draw(t, "ms"))
	})
	digest := rapid.Custom(func(t *rapid.T) (d store.Digest) {
		copy(d[:], rapid.SliceOfN(rapid.Byte(), len(d), len(d)).Draw(t, "digest"))
		return d
	})
	text := func(limit int) *rapid.Generator[string] {
		return rapid.OneOf(rapid.StringN(0, 20, limit), rapid.Just(strings.Repeat("x", limit)))
	}
	rapid.Check(t, func(t *rapid.T) {
		want := entry{
			Session: store.Session{
				ID: id(digest.Draw(t, "id")), Secret: digest.Draw(t, "secret"),
				User: text(store.MaxUser).Draw(t, "user"), Name: text(store.MaxUser).Draw(t, "name"),
				Methods: text(store.MaxText).Draw(t, "methods"), Address: text(store.MaxText).Draw(t, "address"),
				UserAgent: text(store.MaxText).Draw(t, "agent"),
				Created:   since1970.Draw(t, "created"), LastSeen: since1970.Draw(t, "seen"), Deadline: since1970.Draw(t, "deadline"),
				Idle:       time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "idle")) * time.Millisecond,
				Persistent: rapid.Bool().Draw(t, "persistent"),
			},
			version: rapid.Uint64().Draw(t, "version"),
			values:  rapid.SliceOfN(rapid.Byte(), 0, maxNear).Draw(t, "values"),
		}
		want.AuthTime = rapid.SampledFrom([]time.Time{{}, want.Created, milli.Draw(t, "auth")}).Draw(t, "auth")
		if rapid.Bool().Draw(t, "lineage") {
			want.Lineage = store.SID{1}
		}
		if rapid.Bool().Draw(t, "refresh") {
			want.refresh = refresh{digest.Draw(t, "family"), digest.Draw(t, "current"), digest.Draw(t, "previous"), digest.Draw(t, "sealed"), milli.Draw(t, "rotated")}
			want.refresh.family[0] |= 1 // the zero family is none
		}
		p := piece(want.pack(nil))
		if len(p) > maxPiece {
			t.Fatalf("it takes %d bytes, at most %d can be kept", len(p), maxPiece)
		}
		var got entry
		p.session(&got.Session)
		tokens, _ := p.refresh()
		got.refresh = unpackRefresh(tokens)
		_, got.version, got.values = p.values()
		if got.Session != want.Session || got.version != want.version || !bytes.Equal(got.values, want.values) || got.refresh != want.refresh {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestDeadlinesBeyondSixBytes(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000).UTC()
	for _, c := range []struct {
		deadline time.Time
		live     bool
	}{
		{time.Date(12_000, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{time.Time{}, false},
	} {
		table := newTable(now, newGuards())
		e := entry{Session: store.Session{ID: store.NewSID(now), LastSeen: now, Idle: time.Hour, Deadline: c.deadline}, version: 1}
		table.add(e)
		if i, _ := table.find(e.ID); table.live(i, now) != c.live {
			t.Errorf("deadline %v: live %v, want %v", c.deadline, !c.live, c.live)
		}
	}
}

func TestAgentsAreBoundedAndGivenBack(t *testing.T) {
	a := newAgents()
	refs := map[string]uint16{}
	for i := range maxAgents + 10 {
		text := fmt.Sprint("agent ", i)
		refs[text] = a.take(text)
	}
	if len(a.refs) != maxAgents || refs[fmt.Sprint("agent ", maxAgents)] != 0 {
		t.Fatalf("%d agents are kept, want %d and no more", len(a.refs), maxAgents)
	}
	if again := a.take("agent 7"); again != refs["agent 7"] {
		t.Errorf("the same agent has references %d and %d", refs["agent 7"], again)
	}
	a.release(refs["agent 7"])
	for text, ref := range refs {
		if ref != 0 && a.text(ref) != text {
			t.Errorf("reference %d is %q, want %q", ref, a.text(ref), text)
		}
		a.release(ref)
	}
	if len(a.refs) != 0 {
		t.Errorf("%d agents are kept that nobody uses", len(a.refs))
	}
	if ref := a.take("a new one"); ref == 0 || int(ref) > maxAgents {
		t.Errorf("its place was not used again: reference %d", ref)
	}
}

func TestGenerationsAreBounded(t *testing.T) {
	g := newGenerations()
	g.bump("early")
	early, other := g.of("early"), g.of("other")
	for i := range maxGenerations + 1 {
		g.bump(fmt.Sprint(i))
	}
	if len(g.users) > maxGenerations {
		t.Errorf("%d users are remembered, want at most %d", len(g.users), maxGenerations)
	}
	// Who was forgotten must not show an old number again.
	if now := g.of("early"); now <= early {
		t.Errorf("a forgotten user's generation went from %d to %d", early, now)
	}
	if now := g.of("other"); now < other {
		t.Errorf("another user's generation went from %d back to %d", other, now)
	}
}

func TestNoPointersPerSession(t *testing.T) {
	for _, kind := range []reflect.Type{reflect.TypeFor[cell](), reflect.TypeFor[logged]()} {
		if p := pointers(kind); len(p) > 0 {
			t.Errorf("%v holds pointers, and the garbage collector follows each: %v", kind, p)
		}
	}
}

func pointers(kind reflect.Type) []string {
	switch kind.Kind() {
	case reflect.Array:
		return pointers(kind.Elem())
	case reflect.Struct:
		var found []string
		for i := range kind.NumField() {
			for _, p := range pointers(kind.Field(i).Type) {
				found = append(found, kind.Field(i).Name+" "+p)
			}
		}
		return found
	case reflect.Pointer, reflect.String, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return []string{kind.String()}
	default:
		return nil
	}
}

func TestTableLeavesNothingBehind(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000).UTC()
	table := newTable(now, newGuards())
	var ids []store.SID
	for i := range 5000 {
		e := entry{Session: store.Session{ID: store.NewSID(now), User: fmt.Sprint("user", i%50), UserAgent: strings.Repeat("x", i%60),
			Created: now, LastSeen: now, Idle: time.Hour, Deadline: now.Add(time.Hour)}, version: 1}
		if i%3 == 0 {
			e.User = ""
		}
		ids = append(ids, e.ID)
		table.add(e)
	}
	for n, id := range ids {
		i, ok := table.find(id)
		if !ok {
			t.Fatalf("session %v is lost", id)
		}
		table.save(i, 2, make([]byte, n%3*maxNear))
		i, _ = table.find(id)
		table.remove(i)
	}
	if table.wheel.occupied != [wheelLevels]uint64{} || table.wheel.heads != (wheel{}).heads {
		t.Error("the wheel is not empty")
	}
	for _, far := range table.far {
		if len(far) != 0 {
			t.Errorf("%d values are left", len(far))
		}
	}
	for p := range table.byID.parts {
		if table.byID.parts[p].used+table.byUser.parts[p].used != 0 {
			t.Fatal("the indexes are not empty")
		}
	}
	if table.len() != 0 || len(table.agents.refs) != 0 {
		t.Errorf("%d sessions and %d agents are left", table.len(), len(table.agents.refs))
	}
}

func id(d store.Digest) store.SID { return store.SID(d[:16]) }

func TestNamesOfSlotsDoNotOverflow(t *testing.T) {
	if last := uint64(maxPages)*pageSlots + pageSlots - 1; last > math.MaxUint32 {
		t.Errorf("the last granule has the number %d, more than a slot holds", last)
	}
}

func TestWheelIsASortedList(t *testing.T) {
	const hour = 3_600_000
	rapid.Check(t, func(t *rapid.T) {
		now := fromMilli(1_800_000_000_000)
		table := newTable(now, newGuards())
		want := map[store.SID]time.Time{}                                                                        // when they expire
		after := rapid.OneOf(rapid.Int64Range(-2, 100), rapid.Int64Range(0, 3*hour), rapid.Int64Range(0, 1<<42)) // milliseconds
		idle := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 1 << 62})
		one := func(t *rapid.T, do func(slot, store.SID)) {
			if len(want) > 0 {
				id := rapid.SampledFrom(slices.SortedFunc(maps.Keys(want), compareIDs)).Draw(t, "one")
				i, _ := table.find(id)
				do(i, id)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				e := entry{Session: store.Session{ID: store.NewSID(now), LastSeen: now, Idle: idle.Draw(t, "idle"), Deadline: now.Add(time.Duration(after.Draw(t, "after")) * time.Millisecond)}, version: 1}
				table.add(e)
				want[e.ID] = e.Expires()
			},
			"remove": func(t *rapid.T) {
				one(t, func(i slot, id store.SID) {
					table.remove(i)
					delete(want, id)
				})
			},
			"touch": func(t *rapid.T) {
				one(t, func(i slot, id store.SID) {
					table.touch(i, now)
					want[id] = fromMilli(table.pieces.at(i).expires())
				})
			},
			"save": func(t *rapid.T) {
				one(t, func(i slot, _ store.SID) {
					table.save(i, 2, make([]byte, rapid.IntRange(0, 50).Draw(t, "length")))
				})
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(max(after.Draw(t, "after"), 0)%(1<<42)) * time.Millisecond)
			},
			"expire": func(t *rapid.T) {
				table.expire(now, rapid.IntRange(0, 3).Draw(t, "steps"))
				maps.DeleteFunc(want, func(id store.SID, at time.Time) bool {
					_, there := table.find(id)
					return !there && !now.Before(at)
				})
			},
			"expire all": func(*rapid.T) {
				for done := false; !done; {
					_, done = table.expire(now, 3)
				}
				maps.DeleteFunc(want, func(_ store.SID, at time.Time) bool { return !now.Before(at) })
			},
			"": func(t *rapid.T) {
				if table.len() != len(want) {
					t.Fatalf("there are %d, want %d", table.len(), len(want))
				}
				for id := range want {
					if _, there := table.find(id); !there {
						t.Fatalf("%v is gone, which expires in %v", id, want[id].Sub(now))
					}
				}
			},
		})
	})
}
