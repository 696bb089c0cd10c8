package feed

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A Config says what a [View] holds. Bound and Hold are required.
type Config struct {
	// Bound is how old the view may be: Δ.
	Bound time.Duration

	// Hold is how long an ended session is remembered at least, counted from
	// when this process learns of its end: longer than anything that was issued
	// for a session can still be good after the session's end. A log entry may
	// say longer; two hours are the most.
	Hold time.Duration

	// MaxEntries bounds the set; a view that is full lets its lease end. Zero:
	// 32 million, which take up to 1 GB.
	MaxEntries int

	// OnEnd is called for each entry of the log after the set has it, in order.
	// OnReset is called after the view was built anew from a snapshot: what was
	// remembered beside it may have ended unseen, forget it. Both are called
	// with the view locked: be quick, and call nothing of it but Ended and Cut.
	// Nil: nothing.
	OnEnd   func(store.Entry)
	OnReset func()
}

// maxHold bounds what a log entry may ask for, and with that the buckets of the
// set. Nothing is issued for longer than an hour.
const maxHold = 2 * time.Hour

// recentEntries is how many log entries a view keeps for those who follow it.
const recentEntries = 1 << 16

// defaultEntries is the default of Config.MaxEntries.
const defaultEntries = 32 << 20

var (
	errGap   = errors.New("feed: the entries do not follow on what is known")
	errKind  = errors.New("feed: the log holds an entry of a kind that this version does not know: update it")
	errStale = errors.New("feed: the proofs are too old when they come: look at the source's own")
	errFull  = errors.New("feed: more ended sessions than Config.MaxEntries: raise it")
)

// A View is what one process knows of ended sessions. Make it with [NewView],
// and run a [Follower] to fill it: until that has proved it, no check is proven. Its
// methods are safe for concurrent use.
type View struct {
	config Config
	clock  *clock
	store  storeClock
	lease  atomic.Pointer[lease]
	set    *set
	cut    atomic.Pointer[cut] // the latest
	cuts   atomic.Uint64       // counts the entries of kind AllEnded
	hold   atomic.Int64        // Config.Hold, and what RememberFor made of it

	mu      sync.Mutex // what follows changes together
	synced  bool       // a snapshot was taken
	history uint64     // counts the snapshots: a cursor belongs to one
	begun   instant    // when the present one was taken
	cursor  store.Cursor
	floor   uint64 // below this position no proof counts
	recent  recent
	changed chan struct{} // closed at the next change
	lag     time.Duration // of the latest entry

	awaited map[store.SID]awaited // what is known and the log does not tell of
}

// A cut is an entry of kind AllEnded, and the store's time at which this process
// knew of it.
type cut struct {
	store.Entry
	known time.Time
}

// A lease is the right to rely on the view.
type lease struct {
	until  instant
	sent   instant       // when the proof was asked for
	age    time.Duration // how old it was then, where it came through a node
	proved time.Time     // the store's time in the proof
}

// An awaited entry is one that the log of this history should tell of: its
// session's end was committed, or was given back, at that instant. If a proof
// that was asked for later does not bring it, the store has lost it (again).
type awaited struct {
	store.Entry
	since instant
	given int // so many times
}

// maxGiven is how often an entry is given back. A store may have it all the same
// and not tell: one that is expired there, and not yet here.
const maxGiven = 5

// NewView returns a view that knows nothing and proves nothing.
func NewView(c Config) *View {
	v := &View{
		config:  c,
		clock:   newClock(),
		set:     newSet(cmp.Or(c.MaxEntries, defaultEntries)),
		changed: make(chan struct{}),
		awaited: map[store.SID]awaited{},
	}
	v.lease.Store(&lease{})
	v.cut.Store(&cut{})
	v.hold.Store(int64(c.Hold))
	return v
}

// A Check judges one request. See the package comment for its order.
type Check struct {
	view  *View
	lease *lease
	cuts  uint64
}

// Begin reads the lease. Call it before any look-up.
func (v *View) Begin() Check { return Check{v, v.lease.Load(), v.cuts.Load()} }

// AllEndedSince reports whether the view has learned since Begin that
// everybody's sessions were ended. What the store has told since Begin may be
// from before that: ask it again. No comparison of times can tell, since the
// store stamps the cut before it commits it, and goes on answering meanwhile.
func (c Check) AllEndedSince() bool { return c.view.cuts.Load() != c.cuts }

// Finish reads the clock. It returns the store's time, and whether what was
// looked up since Begin holds; zero and false where no proof ever came. Call it
// last.
func (c Check) Finish() (now time.Time, proven bool) {
	t := c.view.clock.late()
	return c.view.store.at(t), t < c.lease.until
}

// Lapsed is for how long the lease that Begin read has ended; false where there
// was none: no proof ever came, or it was dropped because a clock jumped. Like
// Finish it reads the clock: call it after every look-up.
func (c Check) Lapsed() (time.Duration, bool) {
	if c.lease.until == 0 {
		return 0, false
	}
	return max(c.view.clock.late()-c.lease.until, 0), true
}

// Proved is the store's time at which everything that Ended does not name was
// live, if the check is proven. What is issued on the strength of the check
// counts from here: if this process sleeps before it signs, the token must not
// outlive the log's memory of the session's end.
func (c Check) Proved() time.Time { return c.lease.proved }

// Ended reports whether the session is known to have ended, by itself.
func (v *View) Ended(id store.SID) bool { return v.set.contains(id) }

// EndedSessions yields every session that Ended is true of; one that ended twice it
// may yield twice. It reads parts of the view under a lock: be quick. A million
// take some 20 ms.
func (v *View) EndedSessions() iter.Seq[store.SID] { return v.set.all }

// Cut is the store's time at which everybody's sessions were last ended, as far
// as is known; zero: never. Of what began up to then ask the store, or refuse
// it.
func (v *View) Cut() time.Time {
	at, _ := v.CutKnown()
	return at
}

// CutKnown returns Cut, and the store's time at which this process knew of it:
// it had been committed by then, so what was seen live later was not ended by it.
// Zero: nothing is known of that.
func (v *View) CutKnown() (at, known time.Time) {
	if c := v.cut.Load(); c.Kind == store.AllEnded {
		return c.Session.Time(), c.known
	}
	return time.Time{}, time.Time{}
}

// Now is the store's time, as well as this process knows it. Zero: it does not.
func (v *View) Now() time.Time { return v.store.at(v.clock.late()) }

// LatestNow is the latest time that Now, or a check, has shown: a beat old at
// most while the view is followed. It reads no clock, so it is for what is
// judged again at the end of a check. Zero: none was shown.
func (v *View) LatestNow() time.Time {
	if ns := v.store.shown.Load(); ns != 0 {
		return time.Unix(0, ns).UTC()
	}
	return time.Time{}
}

// End makes the view refuse a session at once, before the log tells. Call it
// when the end was committed: if the log does not tell of it then, the store has
// lost it, and the follower gives it back.
func (v *View) End(id store.SID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := store.Entry{Kind: store.SessionEnded, Session: id}
	if !v.set.contains(id) {
		v.await(e)
	}
	if err := v.note(e); err != nil {
		v.Drop()
	}
}

// RememberFor raises Config.Hold. Who follows a node learns from that for how
// long what is issued there can be good.
func (v *View) RememberFor(hold time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hold.Store(int64(max(v.Hold(), min(hold, maxHold))))
}

// Hold is for how long an ended session is remembered at least. Whether
// something that is good for longer belongs to one can't be told from the view.
func (v *View) Hold() time.Duration { return time.Duration(v.hold.Load()) }

// Drop ends the lease: no check is proven until the next proof.
func (v *View) Drop() { v.lease.Store(&lease{}) }

// require ends the lease until a proof reaches the position.
func (v *View) require(pos uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.floor = max(v.floor, pos)
	v.Drop()
}

// note takes an entry into the set, and then tells OnEnd. Called with v.mu held.
func (v *View) note(e store.Entry) error {
	if e.Pos > 0 { // out of the log
		delete(v.awaited, e.Session)
	}
	switch e.Kind {
	case store.SessionEnded:
		if !v.set.add(e.Session, v.until(e.Expires)) {
			return errFull
		}
	case store.AllEnded:
		// It is never forgotten, so it expires when the log says. If it seemed to
		// later, a store that has pruned it would be taken for one that has lost
		// it, and to give it back ends everybody's sessions once more.
		if v.Cut().Before(e.Session.Time()) {
			v.cut.Store(&cut{e, v.Now()})
		}
		v.cuts.Add(1)
	default:
		return errKind
	}
	if v.config.OnEnd != nil {
		v.config.OnEnd(e)
	}
	return nil
}

// until is for how long a session's end is remembered that the log keeps until
// expires. Called with v.mu held.
func (v *View) until(expires time.Time) time.Time {
	now := v.Now()
	if now.IsZero() {
		now = v.clock.wall() // nothing is known yet, and everything is read anew soon
	}
	// At least for Config.Hold, also where the entry has expired: its commit may
	// have taken so long that tokens were issued shortly before it counted.
	if hold := now.Add(v.Hold()); expires.Before(hold) {
		return hold
	}
	if most := now.Add(maxHold); expires.After(most) {
		return most
	}
	return expires
}

// place returns the cursor and the history that it belongs to.
func (v *View) place() (history uint64, cursor store.Cursor, synced bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.history, v.cursor, v.synced
}

// apply takes entries that follow on a place in the log of that history. That
// place must be known, by its id: an entry names its own place and not the one
// before, and after a failover one of another history may have the next
// position. Entries that are known already are passed over: hints and beats
// overlap.
func (v *View) apply(history uint64, after store.Cursor, entries []store.Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if history != v.history || !v.recent.has(after) {
		return errGap // the answer to a question about another history
	}
	before := v.cursor
	for i, e := range entries {
		if e.Pos != after.Pos+uint64(i)+1 {
			return errGap
		}
		if e.Pos <= v.cursor.Pos {
			if !v.recent.has(e.Cursor) {
				return errGap // another history has an entry in its place
			}
			continue
		}
		if err := v.note(e); err != nil {
			return err
		}
		v.cursor = e.Cursor
		v.recent.add(e)
		v.measure(e)
	}
	if v.cursor != before {
		v.announce()
	}
	return nil
}

// measure notes how long an entry took to get here. When it was written follows
// from its expiry, if the node that wrote it keeps entries for as long as we do.
func (v *View) measure(e store.Entry) {
	if lag := v.Now().Sub(e.Expires.Add(-v.Hold())); lag >= 0 && lag < v.Hold() {
		v.lag = lag
	}
}

// announce wakes those who wait for a change. Called with v.mu held.
func (v *View) announce() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// reset begins a history with a snapshot. What was known stays known, and what
// of it the snapshot lacks is to be given back.
func (v *View) reset(news store.News) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	lost := v.missing(news)
	for _, e := range news.Entries {
		if err := v.note(e); err != nil {
			return err
		}
	}
	for _, e := range lost {
		v.await(e)
	}
	v.synced, v.begun = true, v.clock.now()
	v.history++
	v.cursor, v.floor = news.Head, 0
	v.recent = recent{base: news.Head}
	if v.config.OnReset != nil {
		v.config.OnReset()
	}
	v.announce()
	return nil
}

// missing returns what the view knows and the snapshot does not. Called with
// v.mu held.
func (v *View) missing(snapshot store.News) []store.Entry {
	type name struct {
		kind    store.Kind
		session store.SID
	}
	lost := v.entries()
	if len(lost) == 0 {
		return nil // at the first snapshot, which may be large
	}
	held := make(map[name]bool, len(snapshot.Entries))
	for _, e := range snapshot.Entries {
		held[name{e.Kind, e.Session}] = true
	}
	return slices.DeleteFunc(lost, func(e store.Entry) bool {
		return held[name{e.Kind, e.Session}] || !e.Expires.After(snapshot.Now)
	})
}

// await is called with v.mu held.
func (v *View) await(e store.Entry) { v.awaited[e.Session] = awaited{Entry: e, since: v.clock.now()} }

// lost returns what a proof did not bring that was asked for at that instant,
// and should have. (Where it was asked for in between, nothing is lost, and
// giving it back changes nothing.)
func (v *View) lost(sent instant) (lost []store.Entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.Now()
	for id, a := range v.awaited {
		if a.Expires.IsZero() {
			a.Expires = now.Add(v.Hold())
		}
		switch {
		case !a.Expires.After(now):
			delete(v.awaited, id)
		case a.since <= sent:
			lost = append(lost, a.Entry)
		}
	}
	return lost
}

// gaveBack takes note that the store has taken entries, and will tell of them.
// Where it takes none, nothing is awaited of it.
func (v *View) gaveBack(entries []store.Entry, taken bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range entries {
		a, ok := v.awaited[e.Session]
		a.given++
		a.since = v.clock.now()
		switch {
		case !taken, a.given == maxGiven:
			delete(v.awaited, e.Session)
		case ok:
			v.awaited[e.Session] = a
		}
	}
}

// entries returns everything that the view knows, without places.
func (v *View) entries() []store.Entry {
	entries := v.set.entries()
	if e := v.cut.Load(); e.Kind == store.AllEnded {
		entries = append(entries, store.Entry{Kind: e.Kind, Session: e.Session, Expires: e.Expires})
	}
	return entries
}

// extend takes a proof, that the view held everything up to head when it was
// asked for, age before sent. It returns false where the view has not come that
// far: apply first, rely on it second.
//
// The lease that was held before the question is the one that it extends: if it
// was dropped since, for whatever reason, the proof may be from before that.
func (v *View) extend(history uint64, head store.Cursor, held *lease, l lease) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if history != v.history || !v.recent.has(head) || head.Pos < v.floor {
		return false
	}
	l.age = max(l.age, 0) // a proof from the future is one from now
	l.until = l.sent + v.config.Bound - l.age
	if l.until > held.until {
		v.lease.CompareAndSwap(held, &l)
	}
	return true
}

// Status describes a view, for an operator.
type Status struct {
	Proven   bool          // checks are answered from memory
	Age      time.Duration // since the latest proof was asked for
	Left     time.Duration // of the lease; zero: it has ended
	Position uint64        // in the log
	Entries  int           // ended sessions that are remembered
	Lag      time.Duration // how long the latest entry took from the store to here, in milliseconds
}

// Status returns the state of the view.
func (v *View) Status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	l, now := v.lease.Load(), v.clock.now()
	s := Status{Position: v.cursor.Pos, Entries: int(v.set.count.Load()), Lag: v.lag}
	if l.until == 0 {
		return s
	}
	s.Age = now - l.sent + l.age
	s.Left = max(l.until-now, 0)
	s.Proven = s.Left > 0
	return s
}

// recent keeps the last entries of the log, to tell an old answer from one out
// of another history, and for those who follow this process. It grows to
// recentEntries and then forgets the oldest half.
type recent struct {
	base    store.Cursor // the place before the first entry
	entries []store.Entry
}

func (r *recent) add(e store.Entry) {
	if len(r.entries) == recentEntries {
		const half = recentEntries / 2
		r.base = r.entries[half-1].Cursor
		r.entries = append(make([]store.Entry, 0, recentEntries), r.entries[half:]...)
	}
	r.entries = append(r.entries, e)
}

// after returns the entries that follow on the cursor, or false where that is
// not a place in here.
func (r *recent) after(c store.Cursor) ([]store.Entry, bool) {
	if c == r.base {
		return r.entries, true
	}
	if c.Pos <= r.base.Pos || c.Pos-r.base.Pos > uint64(len(r.entries)) {
		return nil, false
	}
	n := int(c.Pos - r.base.Pos)
	return r.entries[n:], r.entries[n-1].Cursor == c
}

func (r *recent) has(c store.Cursor) bool {
	_, known := r.after(c)
	return known
}

// holds reports whether the cursor is a place in the log as the view knows it,
// and returns the history in which it is.
func (v *View) holds(c store.Cursor) (history uint64, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.history, v.synced && v.recent.has(c)
}

// since returns what followers are told: see Hub. The entries must not be
// changed.
func (v *View) since(c store.Cursor, limit int) (entries []store.Entry, head store.Cursor, changed <-chan struct{}, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	entries, known = v.recent.after(c)
	return entries[:min(len(entries), limit)], v.cursor, v.changed, known && v.synced
}

// snapshot returns everything that is known and the place that it leads to.
func (v *View) snapshot() (head store.Cursor, entries []store.Entry, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cursor, v.entries(), v.synced
}

// proof returns how old the latest proof is, and the store's time now; false
// where the lease has ended. What is read from the view after it is at least as
// new.
func (v *View) proof() (age time.Duration, ok bool) {
	l := v.lease.Load()
	t := v.clock.now()
	return t - l.sent + l.age, t < l.until
}
