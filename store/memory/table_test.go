package memory

import (
	"bytes"
	"fmt"
	"maps"
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
		next := slot(0)
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
				for i := range next {
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

func TestSlabsKeepWhatIsNotFreed(t *testing.T) {
	type piece struct {
		name    uint32
		content []byte
	}
	rapid.Check(t, func(t *rapid.T) {
		s := newSlabs()
		var held []piece
		size := rapid.OneOf(
			rapid.IntRange(1, 64),
			rapid.SampledFrom([]int{smallLimit - 1, smallLimit, smallLimit + 1, mediumLimit - 1, mediumLimit, mediumLimit + 1, slabPage}),
		)
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				content := bytes.Repeat([]byte{byte(len(held) + 1)}, size.Draw(t, "size"))
				held = append(held, piece{s.alloc(content), content})
			},
			"free": func(t *rapid.T) {
				if len(held) == 0 {
					return
				}
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				s.free(held[i].name, len(held[i].content))
				held = slices.Delete(held, i, i+1)
			},
			"": func(t *rapid.T) {
				for _, p := range held {
					if got := s.bytes(p.name, len(p.content)); !bytes.Equal(got, p.content) {
						t.Fatalf("piece %d of %d bytes has changed", p.name, len(p.content))
					}
				}
			},
		})
	})
}

func TestSlabsUseFreedPiecesAgain(t *testing.T) {
	s := newSlabs()
	for range 100_000 {
		s.free(s.alloc(make([]byte, 100)), 100)
	}
	if i, _ := class(100); len(s.slabs[i].pages) != 1 {
		t.Errorf("%d pages are used for one piece at a time, want 1", len(s.slabs[i].pages))
	}
}

func TestSlabsForgetWhatIsFreed(t *testing.T) {
	s := newSlabs()
	secret := []byte("what a session held is not kept longer than the session")
	s.free(s.alloc(secret), len(secret))
	for i := range s.slabs {
		for _, page := range s.slabs[i].pages {
			if bytes.Contains(page, secret[8:]) {
				t.Error("a freed piece still holds its content")
			}
		}
	}
}

func TestEntrySurvivesPacking(t *testing.T) {
	milli := rapid.Custom(func(t *rapid.T) time.Time {
		return fromMilli(rapid.Int64Range(-62135596800000, 253402300799000).Draw(t, "ms")) // years 1 to 9999
	})
	digest := rapid.Custom(func(t *rapid.T) (d store.Digest) {
		copy(d[:], rapid.SliceOfN(rapid.Byte(), len(d), len(d)).Draw(t, "digest"))
		return d
	})
	rapid.Check(t, func(t *rapid.T) {
		want := entry{
			Session: store.Session{
				User: rapid.String().Draw(t, "user"), Name: rapid.String().Draw(t, "name"),
				Methods: rapid.String().Draw(t, "methods"), Address: rapid.String().Draw(t, "address"),
				UserAgent: rapid.String().Draw(t, "agent"),
				Created:   milli.Draw(t, "created"), AuthTime: milli.Draw(t, "auth"), Deadline: milli.Draw(t, "deadline"),
				Idle:       time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "idle")) * time.Millisecond,
				Persistent: rapid.Bool().Draw(t, "persistent"),
			},
			version: rapid.Uint64().Draw(t, "version"),
			values:  rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "values"),
		}
		if rapid.Bool().Draw(t, "refresh") {
			want.refresh = refresh{digest.Draw(t, "family"), digest.Draw(t, "current"), digest.Draw(t, "previous"), digest.Draw(t, "sealed"), milli.Draw(t, "rotated")}
			want.refresh.family[0] |= 1 // the zero family is none
		}
		if want.AuthTime.IsZero() != (want.AuthTime == time.Time{}) {
			t.Fatal("fromMilli makes a zero time that is not the zero value")
		}
		got := packed(want.pack(nil)).unpack()
		if !reflect.DeepEqual(got.Session, want.Session) || got.version != want.version || !bytes.Equal(got.values, want.values) || got.refresh != want.refresh {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestAgentsAreBoundedAndGivenBack(t *testing.T) {
	a := newAgents()
	refs := map[string]uint32{}
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
	for _, kind := range []reflect.Type{reflect.TypeFor[record](), reflect.TypeFor[cell](), reflect.TypeFor[logged]()} {
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
	table := newTable()
	now := time.UnixMilli(1_800_000_000_000).UTC()
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
	for _, id := range ids {
		i, ok := table.find(id)
		if !ok {
			t.Fatalf("session %v is lost", id)
		}
		table.remove(i)
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
