package scale

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/internal/web"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/sqlite"
)

const (
	start    = "CPU of open and start"
	first    = "CPU of the first request"
	cold     = "CPU of a session's first check"
	apart    = "CPU of one that reads its page"
	warm     = "CPU of a later check"
	fileSize = "file, per session"

	startKnowing = "CPU of a start that learns of all"
	endedSize    = "heap per ended session"
	purging      = "CPU of the purge, per session"
)

// writers share the commits of the store: one by one, each would wait for the
// disk.
const writers = 256

// checked is how many sessions a node is asked for.
const checked = 5000

// measureFiles starts nodes on files with each number of sessions.
func measureFiles(tb testing.TB, p measure.Plan, sizes []int) ([]report.Table, error) {
	starts := report.Table{
		ID:    "start",
		Title: "A node that starts on a full SQLite file",
		Text: []string{
			"The file is opened, the manager made and a first request answered. Then it is asked for 5,000 sessions, drawn at random: for the first check of each it reads the file, the later ones it answers from what it remembers. The operating system has the file in its cache. Ten million sessions are left out: to write the file would take longer than all the rest.",
			"What a first check reads are pages of 4 KiB, which hold some 30 sessions each, and which SQLite reads but once. Ten thousand sessions lie in 330 of them, so that 5,000 checks read 0.07 pages each; of a hundred thousand they read 0.5, and of a million 1.2: the page of the session, and at times one on the way to it. More sessions can hardly make it more: from there on the way through the tree grows, by a step for thirty times as many. So the row of ten thousand hardly reads.",
			"What one costs that does read is measured by itself: of every fifty sessions that lie beside each other one is asked for, so that no two of them share a page. That is what should not grow with the file, and what the target is about.",
		},
		Metrics: []report.Metric{
			{Name: start, Unit: report.Nanoseconds, Plot: true},
			{Name: first, Unit: report.Nanoseconds},
			{Name: cold, Unit: report.Nanoseconds, Plot: true},
			{Name: apart, Unit: report.Nanoseconds},
			{Name: warm, Unit: report.Nanoseconds},
			{Name: fileSize, Unit: report.Bytes, Plain: true},
		},
	}
	ends := report.Table{
		ID:    "ended",
		Title: "Sessions that have ended, and that expire, in a SQLite file",
		Text: []string{
			"All sessions of the file have been ended one by one, and a node starts that must know all of them, since tokens of theirs may still be about: it takes a snapshot of the log. And in another file as many expire, and are removed in batches as the manager does it, while sessions that live are asked for, here and in a file from which nothing is removed.",
		},
		Metrics: []report.Metric{
			{Name: startKnowing, Unit: report.Nanoseconds, Plot: true},
			{Name: endedSize, Unit: report.Bytes, Plain: true},
			{Name: purging, Unit: report.Nanoseconds},
			{Name: stall, Unit: report.Nanoseconds},
			{Name: quiet, Unit: report.Nanoseconds},
		},
	}
	values := note(tb)
	for _, n := range sizes {
		p.Logf("scale: %s sessions in a file", number(n))
		row, ended, err := measureFile(tb, p, n, values)
		if err != nil {
			return nil, fmt.Errorf("%s sessions in a file: %w", number(n), err)
		}
		starts.Rows, ends.Rows = append(starts.Rows, row), append(ends.Rows, ended)
	}
	smallest, largest := number(sizes[0]), number(sizes[len(sizes)-1])
	starts.Baseline = smallest
	starts.Targets = []report.Target{
		{Row: largest, Metric: start, Against: smallest, Limit: 1.5, Words: "the start does not grow (at most 1.5)"},
		{Row: largest, Metric: apart, Against: smallest, Limit: 1.5, Words: "a first check that reads its page does not grow (at most 1.5)"},
	}
	ends.Targets = []report.Target{
		{Row: largest, Metric: purging, Against: smallest, Limit: 1.5, Words: "a removal does not grow (at most 1.5)"},
	}
	return []report.Table{starts, ends}, nil
}

type samples map[string][]float64

func (s samples) add(name string, d time.Duration) { s[name] = append(s[name], float64(d)) }

func measureFile(tb testing.TB, p measure.Plan, n int, values []byte) (row, ended report.Row, err error) {
	path := filepath.Join(tb.TempDir(), "sessions.db")
	defer os.RemoveAll(filepath.Dir(path)) // before the next file is written
	live, gone := samples{}, samples{}
	row = report.Row{Name: number(n), Kind: report.Ours, Samples: live}
	ended = report.Row{Name: number(n), Kind: report.Ours, Samples: gone}

	ids, err := fillFile(tb.Context(), path, n, content{idle: lasting, values: values})
	if err != nil {
		return row, ended, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return row, ended, err
	}
	sorted := slices.SortedFunc(slices.Values(ids), func(a, b store.SID) int { return bytes.Compare(a[:], b[:]) }) // as they lie in the file
	live[fileSize] = []float64{float64(info.Size()) / float64(n)}
	for range p.Rounds {
		if err := measureStart(tb, path, ids, live); err != nil {
			return row, ended, err
		}
		if err := measurePages(tb, path, sorted, live); err != nil {
			return row, ended, err
		}
	}
	if err := endAll(tb.Context(), path, ids); err != nil {
		return row, ended, err
	}
	for range p.Rounds {
		if err := measureView(tb, path, ids, gone); err != nil {
			return row, ended, err
		}
	}
	return row, ended, measurePurge(tb, n, values, gone)
}

// fillFile writes a file of sessions.
func fillFile(ctx context.Context, path string, n int, c content) (ids []store.SID, err error) {
	ids = make([]store.SID, n)
	err = withStore(ctx, path, func(s *sqlite.Store) error {
		return inParallel(n, func(i int) error {
			creation := c.creation(i)
			ids[i] = creation.Session.ID
			_, err := s.Create(ctx, creation)
			return err
		})
	})
	return ids, err
}

func endAll(ctx context.Context, path string, ids []store.SID) error {
	return withStore(ctx, path, func(s *sqlite.Store) error {
		return inParallel(len(ids), func(i int) error {
			ended, err := s.End(ctx, ids[i], lasting)
			if err == nil && ended.Count != 1 {
				err = fmt.Errorf("session %d was not live", i)
			}
			return err
		})
	})
}

func withStore(ctx context.Context, path string, do func(*sqlite.Store) error) error {
	s, err := sqlite.Open(ctx, path, sqlite.Config{})
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// inParallel calls do for each number below n, by so many goroutines that the
// store has always many writes to commit together.
func inParallel(n int, do func(i int) error) error {
	var next atomic.Int64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for k := range errs {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[k] == nil; i = int(next.Add(1)) - 1 {
				errs[k] = do(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// measureStart starts a node and lets it check sessions.
func measureStart(tb testing.TB, path string, ids []store.SID, into samples) error {
	began := measure.CPU()
	return withStore(tb.Context(), path, func(s *sqlite.Store) error {
		m := manager(tb, s)
		defer m.Close()
		into.add(start, measure.CPU()-began)

		h := identity(m)
		began = measure.CPU()
		if err := askOnce(h, ids[len(ids)/2:][:1]); err != nil {
			return err
		}
		into.add(first, measure.CPU()-began)

		asked := make([]store.SID, checked)
		for i := range asked {
			asked[i] = ids[rand.IntN(len(ids))]
		}
		for _, name := range []string{cold, warm} {
			spent := measure.CPU()
			if err := askOnce(h, asked); err != nil {
				return err
			}
			into.add(name, (measure.CPU()-spent)/time.Duration(len(asked)))
		}
		return nil
	})
}

// neighbours are more sessions than lie on a page of the file.
const neighbours = 50

// measurePages starts a node and lets it check sessions of which no two lie on
// one page.
func measurePages(tb testing.TB, path string, sorted []store.SID, into samples) error {
	return withStore(tb.Context(), path, func(s *sqlite.Store) error {
		m := manager(tb, s)
		defer m.Close()
		h := identity(m)
		if err := askOnce(h, sorted[:1]); err != nil {
			return err
		}
		pages := rand.Perm(len(sorted) / neighbours)
		asked := make([]store.SID, min(checked, len(pages)))
		for i := range asked {
			asked[i] = sorted[pages[i]*neighbours+neighbours/2]
		}
		spent := measure.CPU()
		if err := askOnce(h, asked); err != nil {
			return err
		}
		into.add(apart, (measure.CPU()-spent)/time.Duration(len(asked)))
		return nil
	})
}

// askOnce sends one request for each session.
func askOnce(h http.Handler, ids []store.SID) error {
	template := web.Request(http.MethodGet, "/", nil)
	w := &answer{header: http.Header{}}
	for _, id := range ids {
		if err := w.to(h, template, cookie(id)); err != nil {
			return err
		}
	}
	return nil
}

// measureView starts a node that must know all of these as ended.
func measureView(tb testing.TB, path string, ids []store.SID, into samples) error {
	before, _ := inUse()
	began := measure.CPU()
	return withStore(tb.Context(), path, func(s *sqlite.Store) error {
		m := manager(tb, s)
		defer m.Close()
		into.add(startKnowing, measure.CPU()-began)
		after, _ := inUse()
		into[endedSize] = append(into[endedSize], max(after-before, 0)/float64(len(ids)))
		if known := m.Status().Entries; known < len(ids) {
			return fmt.Errorf("the node knows %d ended sessions, want %d", known, len(ids))
		}
		return nil
	})
}

// measurePurge lets sessions expire and removes them as the manager does.
func measurePurge(tb testing.TB, n int, values []byte, into samples) error {
	ctx := tb.Context()
	path := filepath.Join(tb.TempDir(), "expiring.db")
	defer os.RemoveAll(filepath.Dir(path))
	if _, err := fillFile(ctx, path, n, content{idle: time.Second, values: values}); err != nil {
		return err
	}
	time.Sleep(1100 * time.Millisecond)
	return withStore(ctx, path, func(s *sqlite.Store) error {
		live, err := addLive(ctx, s, values)
		if err != nil {
			return err
		}
		// The CPU of the purge alone: at first nobody asks.
		spent := measure.CPU()
		removed, err := s.Purge(ctx, min(5000, n/2))
		if err != nil {
			return err
		}
		into.add(purging, (measure.CPU()-spent)/time.Duration(removed))
		return withStore(ctx, filepath.Join(filepath.Dir(path), "other.db"), func(other *sqlite.Store) error {
			alive, err := addLive(ctx, other, values)
			if err != nil {
				return err
			}
			here, elsewhere, err := ask([2]func(int) error{finding(ctx, s, live), finding(ctx, other, alive)}, func() error { return purgeAll(ctx, s, n-removed) })
			if err != nil {
				return err
			}
			into.add(stall, here.longest())
			into.add(quiet, elsewhere.longest())
			return nil
		})
	})
}
