package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil/store"
)

// checkModel runs random sequences of calls on the store and on a model of the
// contract that is too simple to be wrong, and compares everything that can be
// read after each. What fails is reduced to the shortest sequence that does. It
// runs in a bubble, where time stands still between waits.
func checkModel(t *testing.T, open func(t *testing.T) store.Store) {
	// In a bubble rapid must not ask for the test's deadline, so it gets no *testing.T.
	rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
		s := open(t)
		defer s.Close() // its error is another test's subject
		rt.Repeat(newModel(&kit{t: rt, store: s, tick: time.Millisecond}).actions())
	})
}

func newModel(k *kit) *model {
	m := &model{
		kit:         k,
		live:        map[store.SID]*modelled{},
		generations: map[string]uint64{},
		cuts:        map[store.SID]bool{},
	}
	for _, user := range modelUsers {
		m.generations[user] = m.generation(user)
	}
	return m
}

// actions are what may happen, and under the empty name what is done after each.
func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create": m.drawCreate, "save": m.drawSave, "touch": m.drawTouch, "rotate": m.drawRotate,
		"end": m.drawEnd, "endUser": m.drawEndUser, "endAll": m.drawEndAll, "merge": m.drawMerge,
		"purge": m.drawPurge, "wait": m.drawWait,
		"": m.compare,
	}
}

var modelUsers = []string{"", "john", "jane"}

// A model is what the store should hold.
type model struct {
	*kit
	ids         []store.SID // of every session that ever was
	live        map[store.SID]*modelled
	generations map[string]uint64
	log         []loggedEnd
	cuts        map[store.SID]bool // that Merge brought; the others are the store's own
	at          time.Time          // the store's time, where it passes by itself
	least       time.Duration      // what begins now lasts at least so long
}

// modelled is one live session.
type modelled struct {
	store.Session
	order   int // of creation
	values  string
	version uint64
	family  store.Digest
	tokens  []store.Digest // every refresh token that was made, the current one last
	sealed  [32]byte       // by the last rotation
	rotated time.Time
}

type loggedEnd struct {
	kind store.Kind
	id   store.SID
}

// now is the store's time: in a bubble it stands still between waits.
func (m *model) now() time.Time {
	if m.pace != nil {
		return m.at
	}
	return time.Now().UTC().Truncate(time.Millisecond)
}

// expire forgets the sessions that have run out by themselves.
func (m *model) expire() {
	maps.DeleteFunc(m.live, func(_ store.SID, s *modelled) bool { return !m.now().Before(s.Expires()) })
}

func (m *model) ends(ids ...store.SID) {
	for _, id := range ids {
		delete(m.live, id)
		m.log = append(m.log, loggedEnd{store.SessionEnded, id})
	}
}

// ofUser returns the ids of the user's live sessions, the first created first.
func (m *model) ofUser(user string) []store.SID {
	var ids []store.SID
	for id, s := range m.live {
		if s.User == user && user != "" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b store.SID) int { return m.live[a].order - m.live[b].order })
	return ids
}

// drawID draws a session that is or was, or one that never was.
func (m *model) drawID(rt *rapid.T) store.SID {
	recent := m.ids[max(0, len(m.ids)-6):]
	return rapid.SampledFrom(append([]store.SID{{15: 1}}, recent...)).Draw(rt, "id")
}

// agrees checks that a call failed with one of these errors, or with none if
// there are none.
func (m *model) agrees(err error, want ...error) bool {
	if err == nil && len(want) == 0 {
		return true
	}
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		m.t.Fatalf("got error %v, want %v", err, want)
	}
	return false
}

func (m *model) drawCreate(rt *rapid.T) {
	// Of two that are created in one millisecond none is the first.
	m.wait(1)
	m.settle()
	c := login(rapid.SampledFrom(modelUsers).Draw(rt, "user"))
	c.Session.ID = store.SID{0: byte(len(m.ids) * 37), 1: byte(len(m.ids)), 15: 2}
	c.Session.Idle = m.least + m.ticks(rapid.IntRange(1, 1000).Draw(rt, "idle"))
	c.Lifetime = m.least + m.ticks(rapid.IntRange(1, 1000).Draw(rt, "lifetime"))
	c.Values = []byte(rapid.SampledFrom([]string{"", "some values"}).Draw(rt, "values"))
	c.Limit = rapid.IntRange(0, 3).Draw(rt, "limit")
	if rapid.Bool().Draw(rt, "replaces") {
		c.Replaces, c.Inherit = m.drawID(rt), rapid.Bool().Draw(rt, "inherit")
	}
	if rapid.Bool().Draw(rt, "checked") {
		c.Generation = m.generations[c.Session.User] - uint64(rapid.IntRange(0, 1).Draw(rt, "behind"))
	}
	withRefresh(&c)
	m.create(c)
}

func (m *model) create(c store.Creation) {
	var want []error
	replaced, ok := m.live[c.Replaces]
	if !c.Replaces.IsZero() && !ok {
		want = append(want, store.ErrNotFound)
	}
	if c.Generation != 0 && c.Generation != m.generations[c.Session.User] {
		want = append(want, store.ErrSuperseded)
	}
	s, err := m.store.Create(m.t.Context(), c)
	if !m.agrees(err, want...) {
		return
	}
	values := string(c.Values)
	if replaced != nil {
		if c.Inherit {
			values = replaced.values
		}
		m.ends(c.Replaces)
	}
	m.live[s.ID] = &modelled{Session: s, order: len(m.ids), values: values, version: 1, family: c.Refresh.Family, tokens: []store.Digest{c.Refresh.Current}}
	m.ids = append(m.ids, s.ID)
	if all := m.ofUser(s.User); c.Limit > 0 && len(all) > c.Limit {
		m.ends(all[:len(all)-c.Limit]...)
	}
}

func (m *model) drawSave(rt *rapid.T) {
	id, version := m.drawID(rt), rapid.Uint64Range(1, 3).Draw(rt, "version")
	values := rapid.SampledFrom([]string{"", "short", fmt.Sprintf("%0999d", version)}).Draw(rt, "values")
	s, want := m.live[id], []error(nil)
	switch {
	case s == nil:
		want = []error{store.ErrNotFound}
	case s.version != version:
		want = []error{store.ErrConflict}
	}
	if m.agrees(m.store.SaveValues(m.t.Context(), id, version, []byte(values)), want...) {
		s.values = values
		s.version++
	}
}

func (m *model) drawTouch(rt *rapid.T) {
	var touches []store.Touch
	for range rapid.IntRange(0, 3).Draw(rt, "touches") {
		touches = append(touches, store.Touch{ID: m.drawID(rt), At: m.drawAt(rt)})
	}
	m.ok(m.store.Touch(m.t.Context(), touches))
	for _, touch := range touches {
		if s := m.live[touch.ID]; s != nil {
			m.see(s, touch.At)
		}
	}
}

// drawAt draws when a session was used. What lies ahead is cut to the store's
// time, which is known exactly in a bubble only.
func (m *model) drawAt(rt *rapid.T) time.Time {
	latest := 1
	if m.pace != nil {
		latest = 0
	}
	return m.now().Add(m.ticks(rapid.IntRange(-50, latest).Draw(rt, "at")))
}

// see moves LastSeen forward, but not past now.
func (m *model) see(s *modelled, at time.Time) {
	if at.After(m.now()) {
		at = m.now()
	}
	if at.After(s.LastSeen) {
		s.LastSeen = at
	}
}

func (m *model) drawRotate(rt *rapid.T) {
	r := store.Rotation{ID: m.drawID(rt), Family: digest(), Presented: digest(), Next: digest(), Sealed: digest(), Retain: retain}
	if rapid.Bool().Draw(rt, "grace") {
		r.Grace = m.grace()
	}
	s := m.live[r.ID]
	if s == nil {
		_, err := m.store.RotateRefresh(m.t.Context(), r)
		m.agrees(err, store.ErrNotFound)
		return
	}
	ours := rapid.IntRange(0, 5).Draw(rt, "family") > 0
	if ours {
		r.Family = s.family
	}
	back := rapid.IntRange(0, 3).Draw(rt, "tokens back")
	if back < len(s.tokens) {
		r.Presented = s.tokens[len(s.tokens)-1-back]
	}
	out, err := m.store.RotateRefresh(m.t.Context(), r)
	switch {
	case !ours:
		m.agrees(err, store.ErrNotFound)
		return
	case back == 0:
		m.ok(err)
		s.tokens, s.sealed, s.rotated = append(s.tokens, r.Next), r.Sealed, out.Session.AsOf
	case back == 1 && len(s.tokens) > 1 && m.now().Before(s.rotated.Add(r.Grace)):
		m.ok(err)
	default:
		m.agrees(err, store.ErrReused)
		m.ends(r.ID)
		return
	}
	if m.pace == nil && !out.Session.AsOf.Equal(m.now()) {
		m.t.Fatalf("it is as of %v, want %v", out.Session.AsOf, m.now())
	}
	s.LastSeen = out.Session.AsOf
	if out.Replayed != (back == 1) || out.Sealed != s.sealed {
		m.t.Fatalf("replayed %v with %x, want %v with %x", out.Replayed, out.Sealed, back == 1, s.sealed)
	}
	m.isSame(out.Session, s)
}

// grace is how long a used refresh token is good for, if at all.
func (m *model) grace() time.Duration { return m.least + m.ticks(5) }

func (m *model) drawEnd(rt *rapid.T) {
	id, want := m.drawID(rt), 0
	if m.live[id] != nil {
		m.ends(id)
		want = 1
	}
	m.isEnded(m.end(id), want)
}

func (m *model) drawEndUser(rt *rapid.T) {
	user := rapid.SampledFrom(modelUsers).Draw(rt, "user")
	except := m.drawID(rt)
	gone := slices.DeleteFunc(m.ofUser(user), func(id store.SID) bool { return id == except })
	m.ends(gone...)
	m.isEnded(m.endUser(user, except), len(gone))
	m.isBumped(user)
}

func (m *model) drawEndAll(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "rarely") > 0 {
		return
	}
	m.endAll()
	clear(m.live)
	m.log = append(m.log, loggedEnd{kind: store.AllEnded})
	m.areBumped()
}

func (m *model) drawMerge(rt *rapid.T) {
	var entries []store.Entry
	for range rapid.IntRange(0, 3).Draw(rt, "entries") {
		e := store.Entry{Kind: store.SessionEnded, Session: m.drawID(rt), Expires: m.now().Add(retain)}
		if rapid.IntRange(0, 9).Draw(rt, "rarely") == 0 {
			e.Kind, e.Session = store.AllEnded, store.SID{15: byte(rapid.IntRange(3, 4).Draw(rt, "cut"))}
		}
		entries = append(entries, e)
	}
	m.merge(entries...)
	known := len(m.cuts)
	for _, e := range entries {
		end := loggedEnd{e.Kind, e.Session}
		switch {
		case slices.Contains(m.log, end):
		case e.Kind == store.SessionEnded:
			m.ends(e.Session)
		default:
			m.cuts[e.Session] = true
			clear(m.live)
			m.log = append(m.log, loggedEnd{kind: store.AllEnded}, end)
		}
	}
	if len(m.cuts) > known {
		m.areBumped()
	}
}

func (m *model) isEnded(got store.Ended, count int) {
	if got.Count != count || got.Head.Pos != uint64(len(m.log)) {
		m.t.Fatalf("it ended %d sessions, head position %d, want %d, %d", got.Count, got.Head.Pos, count, len(m.log))
	}
}

func (m *model) areBumped() {
	for _, user := range modelUsers {
		m.isBumped(user)
	}
}

func (m *model) isBumped(user string) {
	now := m.generation(user)
	if now <= m.generations[user] {
		m.t.Fatalf("the generation of %q went from %d to %d", user, m.generations[user], now)
	}
	m.generations[user] = now
}

func (m *model) drawPurge(rt *rapid.T) {
	_, err := m.store.Purge(m.t.Context(), rapid.IntRange(0, 5).Draw(rt, "limit"))
	m.ok(err)
}

func (m *model) drawWait(rt *rapid.T) {
	m.wait(rapid.IntRange(1, 30).Draw(rt, "ticks"))
	m.settle()
}

// compare reads everything.
func (m *model) compare(*rapid.T) {
	for _, id := range m.ids {
		s := m.live[id]
		if s == nil {
			m.isGone(id)
			continue
		}
		m.isSame(m.find(id), s)
		if v, version := m.values(id); string(v) != s.values || version != s.version {
			m.t.Fatalf("got %q in version %d, want %q in version %d", v, version, s.values, s.version)
		}
	}
	m.lists(store.Query{}, slices.Collect(maps.Keys(m.live))...)
	for _, user := range modelUsers {
		if user != "" {
			m.lists(store.Query{User: user}, m.ofUser(user)...)
		}
		if now := m.generation(user); now != m.generations[user] {
			m.t.Fatalf("the generation of %q is %d, want %d", user, now, m.generations[user])
		}
	}
	m.compareLog()
}

// compareLog compares without regard to the order within one call.
func (m *model) compareLog() {
	want := map[loggedEnd]int{}
	for _, l := range m.log {
		want[l]++
	}
	own := map[store.SID]bool{}
	for _, e := range m.kit.log() {
		l := loggedEnd{e.Kind, e.Session}
		if e.Kind == store.AllEnded && !m.cuts[e.Session] {
			if e.Session.IsZero() || own[e.Session] {
				m.t.Fatalf("the cut is zero, or another's: %+v", e)
			}
			own[e.Session], l.id = true, store.SID{}
		}
		if want[l]--; want[l] < 0 {
			m.t.Fatalf("the log says too often: %+v", e)
		}
		if want[l] == 0 {
			delete(want, l)
		}
	}
	if len(want) > 0 {
		m.t.Fatalf("the log lacks %v", want)
	}
}

func (m *model) isSame(got store.Session, want *modelled) {
	expected := want.Session
	expected.AsOf = got.AsOf
	if got != expected {
		m.t.Fatalf("got %+v, want %+v", got, expected)
	}
}
