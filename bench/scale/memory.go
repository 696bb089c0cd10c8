package scale

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
)

const (
	ours   = "Counterfoil"
	theirs = "scs, memstore"

	perRequest = "CPU per request"
	perFind    = "CPU per Store.Find"
	perSession = "heap per session"
	resident   = "resident memory per session"
	gcCPU      = "CPU of a full collection"
	gcPause    = "pauses of a full collection"
)

// lasting is how long sessions last that must outlive the benchmark.
const lasting = 3 * time.Hour

// measureMemory fills ours with each number of sessions, and scs with as many as
// it is compared at.
func measureMemory(tb testing.TB, p measure.Plan, sizes []int, compared int) ([]report.Table, error) {
	values := note(tb)
	costs := report.Table{
		ID:    "memory",
		Title: "What sessions cost that lie in memory",
		Text: []string{
			"Heap in use after a collection and resident memory of the process, with all the sessions less without, by session; and what one full garbage collection takes then. A program collects that often as it allocates. Without a note, and with the user agent and the address that our logins keep as well, only to show where the memory goes.",
			fmt.Sprintf("Of a session of ours, %d bytes are what it is about: the user's id, the session's, the digest of its secret, and the note as JSON. The rest are its times, what leads to it by its id, by its user and by its time, and what lies between the sessions.",
				userSize+len(store.SID{})+len(store.Digest{})+len(values)),
		},
		Metrics: []report.Metric{
			{Name: perSession, Unit: report.Bytes, Plain: true, Plot: true},
			{Name: resident, Unit: report.Bytes, Plain: true},
			{Name: gcCPU, Unit: report.Nanoseconds, Plot: true, Log: true},
			{Name: gcPause, Unit: report.Nanoseconds},
		},
	}
	checks := report.Table{
		ID:    "checks",
		Title: "A check among many sessions",
		Text: []string{
			"The same requests as everywhere, identity only, of sessions drawn at random; and the store alone. What grows is the share of memory that no cache holds: to find a session takes two looks, one after the other, at a cell of the index and at the session itself. Beyond some hundred thousand sessions the processor waits for memory at both, and for the address of either's page; then it makes little difference how many more there are, and that is what is judged.",
			"scs pays no less for a session that no cache holds. Beside the decoding it shows less: so the ratio is smaller here than for one session that is asked for again and again.",
		},
		Metrics: []report.Metric{
			{Name: perRequest, Unit: report.Nanoseconds, Plot: true},
			{Name: perFind, Unit: report.Nanoseconds},
			measure.AllocsMetric,
		},
	}
	add := func(name string, kind report.Kind, n int, fill func() error) error {
		row, err := cost(p, name, kind, n, fill)
		costs.Rows = append(costs.Rows, row)
		return err
	}

	// Ours, all sizes side by side, so that the checks are measured in the same
	// rounds. What they cost is measured when each is filled; the smaller ones
	// before it are too little to count.
	var all []*filled
	for _, n := range sizes {
		p.Logf("scale: %s sessions in memory", number(n))
		var f *filled
		if err := add(named(ours, number(n)), report.Ours, n, func() (err error) {
			f, err = fillMemory(tb, n, content{idle: lasting, values: values})
			return err
		}); err != nil {
			return nil, err
		}
		defer f.close(tb)
		all = append(all, f)
	}
	var requests, lookUps []measure.Case
	for _, f := range all {
		name := named(ours, number(len(f.ids)))
		requests = append(requests, visits(name, f.handler, len(f.ids), func(i int) string { return cookie(f.ids[i]) }))
		lookUps = append(lookUps, finds(tb.Context(), name, f.store, f.ids))
	}
	results, err := measure.Run(tb.Context(), p, append(requests, lookUps...))
	if err != nil {
		return nil, err
	}
	for i := range all {
		row := results[i].Row(report.Ours)
		row.Samples[perRequest], row.Samples[perFind] = results[i].CPU, results[len(all)+i].CPU
		checks.Rows = append(checks.Rows, row)
	}
	for i := range all { // what is measured next is alone in memory
		all[i].close(tb)
	}
	requests, lookUps = nil, nil

	for _, v := range []struct {
		what string
		content
	}{
		{withoutNote, content{idle: lasting}},
		{"agent", content{idle: lasting, values: values, client: true}},
	} {
		var f *filled
		if err := add(named(ours, number(compared), v.what), report.Ours, compared, func() (err error) {
			f, err = fillMemory(tb, compared, v.content)
			return err
		}); err != nil {
			return nil, err
		}
		f.close(tb)
	}
	peer, err := measureSCS(p, tb, compared, add)
	if err != nil {
		return nil, err
	}
	checks.Rows = append(checks.Rows, peer)

	at := named(ours, number(compared))
	them := named(theirs, number(compared))
	costs.Baseline, checks.Baseline = them, them
	costs.Targets = []report.Target{
		{Row: at, Metric: perSession, Limit: 260, Words: "at most 260 B a session"},
		{Row: at, Metric: perSession, Against: them, Limit: .62, Words: "at most 0.62 of scs"},
		{Row: at, Metric: gcCPU, Against: them, Limit: 1. / 20, Words: "at most 1/20 of scs"},
	}
	if largest := sizes[len(sizes)-1]; largest > compared {
		checks.Targets = []report.Target{{Row: named(ours, number(largest)), Metric: perRequest, Against: at,
			Limit: 1.25, Words: "ten times the sessions make a check at most a quarter dearer"}}
	}
	return []report.Table{checks, costs}, nil
}

// withoutNote ends the name of rows whose sessions hold less than the others'.
const withoutNote = "no note"

// measureSCS fills scs, without and then with a note, and measures requests.
func measureSCS(p measure.Plan, tb testing.TB, n int, add func(string, report.Kind, int, func() error) error) (report.Row, error) {
	p.Logf("scale: %s sessions in scs", number(n))
	var s scsStore
	for _, withNote := range []bool{false, true} {
		name := named(theirs, number(n))
		if !withNote {
			name = named(name, withoutNote)
		}
		s = scsStore{}
		if err := add(name, report.Peer, n, func() error {
			s = newSCS(memstore.NewWithCleanupInterval(0))
			add, err := s.adder(time.Now().Add(lasting), withNote)
			for i := 0; i < n && err == nil; i++ {
				err = add(i)
			}
			return err
		}); err != nil {
			return report.Row{}, err
		}
		runtime.KeepAlive(s) // the collector would take what is not asked for any more
	}
	name := s.manager.Cookie.Name
	results, err := measure.Run(tb.Context(), p, []measure.Case{
		visits(named(theirs, number(n)), s.identity(), n, func(i int) string { return name + "=" + token(i) }),
	})
	if err != nil {
		return report.Row{}, err
	}
	row := results[0].Row(report.Peer)
	row.Samples[perRequest] = results[0].CPU
	return row, nil
}

// filled is ours on the memory store, with sessions in it.
type filled struct {
	store   *memory.Store
	ids     []store.SID
	manager *counterfoil.Manager
	handler http.Handler
}

// close lets go of everything. Closing again does nothing.
func (f *filled) close(tb testing.TB) {
	if f.store == nil {
		return
	}
	if err := errors.Join(f.manager.Close(), f.store.Close()); err != nil {
		tb.Error(err)
	}
	*f = filled{}
}

// fillMemory fills a store, and then opens a manager on it, so that its purge
// does not come between.
func fillMemory(tb testing.TB, n int, c content) (*filled, error) {
	f := &filled{store: memory.New(memory.Config{MaxSessions: n + 1}), ids: make([]store.SID, n)}
	for i := range f.ids {
		creation := c.creation(i)
		f.ids[i] = creation.Session.ID
		if _, err := f.store.Create(tb.Context(), creation); err != nil {
			return nil, err
		}
		if err := tb.Context().Err(); err != nil {
			return nil, err
		}
	}
	f.manager = manager(tb, f.store)
	f.handler = identity(f.manager)
	return f, nil
}

// cost fills a store and measures what that has cost. Whoever calls it keeps the
// store until then.
func cost(p measure.Plan, name string, kind report.Kind, n int, fill func() error) (report.Row, error) {
	heapBefore, residentBefore := inUse()
	if err := fill(); err != nil {
		return report.Row{}, fmt.Errorf("%s: %w", name, err)
	}
	heap, size := inUse()
	ids := 0.0 // which the benchmark keeps of ours, to ask for
	if kind == report.Ours {
		ids = float64(len(store.SID{}))
	}
	row := report.Row{Name: name, Kind: kind, Samples: map[string][]float64{
		perSession: {(heap-heapBefore)/float64(n) - ids},
		resident:   {(size-residentBefore)/float64(n) - ids},
	}}
	if strings.HasSuffix(name, withoutNote) { // which are compared with their like
		row.Group = withoutNote
	}
	for range max(p.Rounds, 1) {
		cpu, pauses := collect()
		row.Samples[gcCPU] = append(row.Samples[gcCPU], float64(cpu))
		row.Samples[gcPause] = append(row.Samples[gcPause], float64(pauses))
	}
	return row, nil
}

// inUse returns the heap in use after a collection, and the resident memory when
// what is free was given back.
func inUse() (heap, size float64) {
	debug.FreeOSMemory() // collects first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), residentMemory()
}

// collect returns what a full collection takes, and how long it stops the world.
func collect() (cpu, pauses time.Duration) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	spent := measure.CPU()
	runtime.GC()
	spent = measure.CPU() - spent
	runtime.ReadMemStats(&after)
	return spent, time.Duration(after.PauseTotalNs - before.PauseTotalNs)
}
