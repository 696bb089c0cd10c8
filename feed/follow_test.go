package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A source is a store that answers at once, except where a test has it answer
// otherwise: from the beginning, or inside of change.
type source struct {
	store    *simStore
	mu       sync.Mutex
	beat     func(ctx context.Context, b store.Beat) (store.News, time.Duration, error)
	snapshot func(ctx context.Context) (store.News, error)
	merge    func(ctx context.Context, entries []store.Entry) error
	watch    func(ctx context.Context, hint HintFunc) error
}

func newSource() *source {
	s := &source{store: newSimStore()}
	s.store.ended, s.store.lost = func(store.SID) {}, func(store.SID) {}
	return s
}

func (s *source) Beat(ctx context.Context, b store.Beat) (store.News, time.Duration, error) {
	if beat := now(s, &s.beat); beat != nil {
		return beat(ctx, b)
	}
	news, err := s.store.beat(b)
	return news, 0, err
}

func (s *source) Follow(_ context.Context, after store.Cursor, limit int) (store.News, error) {
	return s.store.followReplica(after, limit, 0)
}

func (s *source) Snapshot(ctx context.Context) (store.News, error) {
	if snapshot := now(s, &s.snapshot); snapshot != nil {
		return snapshot(ctx)
	}
	return s.store.snapshot()
}

func (s *source) Merge(ctx context.Context, entries []store.Entry) error {
	if merge := now(s, &s.merge); merge != nil {
		return merge(ctx, entries)
	}
	return s.store.merge(entries)
}

func (s *source) Watch(ctx context.Context, hint HintFunc) error {
	if watch := now(s, &s.watch); watch != nil {
		return watch(ctx, hint)
	}
	return s.store.watch(ctx, func(h store.Hint) { hint(h, store.Cursor{}, nil) })
}

func (s *source) change(what func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what()
}

// now returns how a method is answered at present.
func now[F any](s *source, method *F) F {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *method
}

func hang[T any](ctx context.Context) (none T, err error) {
	<-ctx.Done()
	return none, ctx.Err()
}

// A lines counts what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "\n")
}

func newFollowing(s Source) (*View, *Follower, *lines) {
	log := &lines{}
	v := NewView(Config{Bound: simBound, Hold: simHold})
	return v, NewFollower(v, s, slog.New(slog.NewTextHandler(log, nil))), log
}

// during runs the follower, and ends it: both its loops must end with ctx, or
// the bubble never does.
func during(t *testing.T, f *Follower, what func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { f.Run(ctx) })
	defer work.Wait()
	defer cancel()
	what()
}

func (s *source) end(t *testing.T) store.SID {
	t.Helper()
	id := store.NewSID(time.Now())
	if _, err := s.store.endSession(id, simHold); err != nil {
		t.Fatal(err)
	}
	return id
}

// why: "apply entries in order, gap-free", and only then is it a proof. A source
// that contradicts itself ends no process and fills no disk.
func TestFollowerBadSource(t *testing.T) {
	entry := func(pos uint64) store.Entry {
		return store.Entry{Cursor: store.Cursor{Pos: pos, ID: store.NewNodeID()}, Kind: store.SessionEnded, Session: store.NewSID(noon), Expires: time.Now().Add(simHold)}
	}
	upTo := func(entries ...store.Entry) store.News {
		return store.News{Entries: entries, Head: entries[len(entries)-1].Cursor, Now: time.Now()}
	}
	for _, bad := range []struct {
		why    string
		answer func(b store.Beat) (store.News, time.Duration, error)
	}{
		{"a cursor that is never known", func(store.Beat) (store.News, time.Duration, error) {
			return store.News{}, 0, store.ErrUnknownCursor
		}},
		{"positions that jump", func(b store.Beat) (store.News, time.Duration, error) {
			return upTo(entry(b.After.Pos+1), entry(b.After.Pos+3)), 0, nil
		}},
		{"entries that begin too late", func(b store.Beat) (store.News, time.Duration, error) {
			return upTo(entry(b.After.Pos + 2)), 0, nil
		}},
		{"entries out of order", func(b store.Beat) (store.News, time.Duration, error) {
			return upTo(entry(b.After.Pos+2), entry(b.After.Pos+1)), 0, nil
		}},
		{"position 0, and the largest", func(store.Beat) (store.News, time.Duration, error) {
			return upTo(entry(0), entry(1<<64-1)), 0, nil
		}},
		{"a head that nothing leads to", func(b store.Beat) (store.News, time.Duration, error) {
			return store.News{Head: entry(b.After.Pos + 5).Cursor, Now: time.Now()}, 0, nil
		}},
		{"the position of the head with another id", func(b store.Beat) (store.News, time.Duration, error) {
			return store.News{Head: entry(b.After.Pos).Cursor, Now: time.Now()}, 0, nil
		}},
		{"a head that runs away", func(b store.Beat) (store.News, time.Duration, error) {
			news := upTo(entry(b.After.Pos + 1))
			news.Head = entry(b.After.Pos + 2).Cursor
			return news, 0, nil
		}},
		{"an entry of a kind that is not known, which may end anything", func(b store.Beat) (store.News, time.Duration, error) {
			e := entry(b.After.Pos + 1)
			e.Kind = 7
			return upTo(e), 0, nil
		}},
		{"a proof that is older than the bound", func(b store.Beat) (store.News, time.Duration, error) {
			return store.News{Head: b.After, Now: time.Now()}, simBound, nil
		}},
	} {
		t.Run(bad.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource()
				s.end(t)
				snapshots := 0
				s.snapshot = func(context.Context) (store.News, error) { snapshots++; return s.store.snapshot() }
				s.watch = func(ctx context.Context, _ HintFunc) error {
					_, err := hang[int](ctx)
					return err
				}
				beats := 0
				s.beat = func(_ context.Context, b store.Beat) (store.News, time.Duration, error) {
					beats++
					return bad.answer(b)
				}
				v, f, log := newFollowing(s)
				lapsed := 0
				f.OnLapse = func(error) { lapsed++ }
				during(t, f, func() {
					for range 100 {
						time.Sleep(simBound / beatsPerBound)
						if v.Status().Proven {
							t.Fatal("proven")
						}
					}
				})
				if lapsed == 0 {
					t.Error("nobody is told that there is no lease")
				}
				if snapshots > 120 || beats > 120*maxPages {
					t.Errorf("%d snapshots and %d beats in the time of 100", snapshots, beats)
				}
				if n := log.count(); n > 5 {
					t.Errorf("%d lines are logged:\n%s", n, log.text.String())
				}
			})
		})
	}
}

// why: "Counts from the moment before it asked": a source whose clock is wrong
// can't give a lease that is longer than the bound.
func TestFollowerAgeFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.beat = func(_ context.Context, b store.Beat) (store.News, time.Duration, error) {
			news, err := s.store.beat(b)
			return news, -time.Hour, err
		}
		v, f, _ := newFollowing(s)
		if err := f.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := v.Status().Left; left != simBound {
			t.Errorf("the lease lasts %v, not %v", left, simBound)
		}
	})
}

// why: "Drop ends the lease: until the next proof, ask the store." A proof that
// was asked for before is not the next.
func TestFollowerDropDuringBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		v, f, _ := newFollowing(s)
		s.beat = func(_ context.Context, b store.Beat) (store.News, time.Duration, error) {
			news, err := s.store.beat(b)
			v.Drop()
			return news, 0, err
		}
		if err := f.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v.Status().Proven {
			t.Error("a proof from before Drop counts")
		}
		s.beat = nil
		if err := f.Beat(t.Context()); err != nil || !v.Status().Proven {
			t.Errorf("the next proof does not count: %v", err)
		}
	})
}

// why: "OnLapse is called when the lease has ended, or is about to end before
// another proof can come", in whatever way the source fails, and never else.
func TestFollowerTellsOfLapse(t *testing.T) {
	for _, failing := range []struct {
		why  string
		fail func(t *testing.T, s *source)
	}{
		{"it refuses", func(_ *testing.T, s *source) { s.store.setDown(true) }},
		{"it hangs", func(_ *testing.T, s *source) {
			s.beat = func(ctx context.Context, _ store.Beat) (store.News, time.Duration, error) {
				news, err := hang[store.News](ctx)
				return news, 0, err
			}
		}},
		{"the place is lost, and the snapshot hangs", func(t *testing.T, s *source) {
			s.end(t)
			s.beat = func(context.Context, store.Beat) (store.News, time.Duration, error) {
				return store.News{}, 0, store.ErrUnknownCursor
			}
			s.snapshot = hang[store.News]
		}},
		{"it is slow, and there is much", func(t *testing.T, s *source) {
			for range 100 {
				s.end(t)
			}
			s.beat = func(ctx context.Context, b store.Beat) (store.News, time.Duration, error) {
				if pause(ctx, simBound/4); ctx.Err() != nil {
					return store.News{}, 0, ctx.Err()
				}
				news, err := s.store.beat(b)
				return news, 0, err
			}
		}},
	} {
		t.Run(failing.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource()
				s.watch = func(ctx context.Context, _ HintFunc) error {
					_, err := hang[int](ctx)
					return err
				}
				v, f, _ := newFollowing(s)
				told := make(chan time.Duration, 1000)
				f.OnLapse = func(err error) {
					if err == nil {
						t.Error("it is not said why")
					}
					told <- v.Status().Left
				}
				during(t, f, func() {
					time.Sleep(5 * time.Minute)
					if len(told) > 0 {
						t.Fatal("told while all was well")
					}
					s.change(func() { failing.fail(t, s) })
					for v.Status().Proven {
						time.Sleep(time.Millisecond)
					}
					time.Sleep(time.Millisecond)
					if len(told) == 0 {
						t.Fatal("the lease has ended, and nobody was told")
					}
					if left := <-told; left > simBound/4 {
						t.Errorf("told %v before the end", left)
					}
				})
			})
		})
	}
}

// why: the log says why a follower does not follow, though it began with something
// else, and yet fills no disk.
func TestFollowerTellsWhyItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		first := true
		s.beat = func(context.Context, store.Beat) (store.News, time.Duration, error) {
			defer func() { first = false }()
			if first {
				return store.News{}, 0, errors.New("passing")
			}
			return store.News{}, 0, errors.New("lasting")
		}
		s.watch = func(ctx context.Context, _ HintFunc) error {
			_, err := hang[int](ctx)
			return err
		}
		_, f, log := newFollowing(s)
		during(t, f, func() {
			time.Sleep(time.Hour)
			synctest.Wait()
			if told := log.text.String(); !strings.Contains(told, "passing") || !strings.Contains(told, "lasting") || log.count() > 3 {
				t.Errorf("the log says %s", told)
			}
		})
	})
}

// why: a client that was removed asks now and then, not five times a second: each
// time is an event in the issuer's log.
func TestFollowerThatIsRefusedAsksLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		refused := fmt.Errorf("feed: %w", errDenied)
		asked := make(chan struct{}, 100_000)
		s.beat = func(context.Context, store.Beat) (store.News, time.Duration, error) {
			asked <- struct{}{}
			return store.News{}, 0, refused
		}
		s.watch = func(context.Context, HintFunc) error {
			asked <- struct{}{}
			return refused
		}
		_, f, _ := newFollowing(s)
		during(t, f, func() {
			time.Sleep(time.Hour)
			synctest.Wait()
			if n, most := len(asked), 2*int(time.Hour/refusedPause)+100; n < most/2 || n > most {
				t.Errorf("asked %d times in an hour", n)
			}
		})
	})
}

// why: a connection that hangs, in whichever call, does not end the following.
func TestFollowerGoesOnAfterHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		hangs := 0
		s.snapshot = func(ctx context.Context) (store.News, error) {
			if hangs++; hangs < 3 {
				return hang[store.News](ctx)
			}
			return s.store.snapshot()
		}
		v, f, _ := newFollowing(s)
		during(t, f, func() {
			time.Sleep(3*snapshotPatience + simBound)
			if !v.Status().Proven {
				t.Error("nothing is proven after two snapshots that hung")
			}
		})
	})
}

// why: "Followers keep what they know and re-submit it", until it is taken, and
// no lease waits for that.
func TestFollowerGivesBack(t *testing.T) {
	for _, refusal := range []struct {
		why   string
		merge func(context.Context) error
	}{
		{"it fails", func(context.Context) error { return errDown }},
		{"it hangs", func(ctx context.Context) error { _, err := hang[int](ctx); return err }},
	} {
		t.Run(refusal.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource()
				v, f, log := newFollowing(s)
				merges := 0
				s.merge = func(ctx context.Context, entries []store.Entry) error {
					if merges++; merges <= 20 {
						return refusal.merge(ctx)
					}
					return s.store.merge(entries)
				}
				during(t, f, func() {
					id := s.end(t)
					time.Sleep(simBound)
					s.store.failover(1)
					for range 60 {
						time.Sleep(simBound)
						if !v.Status().Proven || !v.Ended(id) {
							t.Fatal("unproven, or forgotten, while the store does not take it back")
						}
					}
					if !s.store.has(id) {
						t.Error("the store was not given back what it had lost")
					}
				})
				if merges != 21 {
					t.Errorf("%d merges; the 21st was taken", merges)
				}
				if n := log.count(); n > 10 {
					t.Errorf("%d lines are logged:\n%s", n, log.text.String())
				}
			})
		})
	}
}

// why: a position means something in one history only. After a failover that
// lost entries, an end that was committed since stands where others stood.
func TestFollowerCatchesUpInAnotherHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		v, f, _ := newFollowing(s)
		for range 4 {
			s.end(t)
		}
		for !v.Status().Proven {
			if err := f.Beat(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.store.failover(3)
		id := s.end(t)
		f.CatchUp(t.Context(), headOf(s.store.log))
		if !v.Ended(id) && v.Status().Proven {
			t.Error("a session that was ended is accepted here")
		}
		if err := f.Beat(t.Context()); err != nil || !v.Status().Proven || !v.Ended(id) {
			t.Errorf("after the next beat: %v, %+v", err, v.Status())
		}
	})
}

// why: "no lease waits for that", however much there is: it is given back a bit
// after each proof.
func TestFollowerGivesMuchBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		v, f, _ := newFollowing(s)
		f.OnLapse = func(err error) { t.Errorf("the lease lapses: %v", err) }
		given := map[store.SID]bool{}
		s.merge = func(_ context.Context, entries []store.Entry) error {
			time.Sleep(simBound / 20)
			for _, e := range entries {
				given[e.Session] = true
			}
			return nil
		}
		if err := f.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
		const many = 50 * mergeBatch
		for range many {
			v.End(store.NewSID(time.Now())) // and the log never tells
		}
		during(t, f, func() {
			for range 600 {
				time.Sleep(simBound / 20)
				if !v.Status().Proven {
					t.Fatalf("unproven when %d of %d were given back", len(given), many)
				}
			}
		})
		if len(given) != many {
			t.Errorf("%d of %d were given back", len(given), many)
		}
	})
}

// why: "Of those who call it at the same time one asks, and all of them get what
// he was told": that his time was up tells the others nothing.
func TestProveWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.beat = func(ctx context.Context, b store.Beat) (store.News, time.Duration, error) {
			if pause(ctx, simBound/10); ctx.Err() != nil {
				return store.News{}, 0, ctx.Err()
			}
			news, err := s.store.beat(b)
			return news, 0, err
		}
		_, f, _ := newFollowing(s)
		hurried, cancel := context.WithTimeout(t.Context(), simBound/100)
		defer cancel()
		var work sync.WaitGroup
		work.Go(func() {
			if err := f.Prove(hurried); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who had no time: %v", err)
			}
		})
		synctest.Wait()
		for range 3 {
			work.Go(func() {
				if err := f.Prove(t.Context()); err != nil {
					t.Errorf("who has time: %v", err)
				}
			})
		}
		work.Wait()
	})
}

// why: "Prove sees to a lease that has not ended": there is nothing to wait for
// where there is one, such as for a beat that hangs.
func TestProveWhatIsProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		_, f, _ := newFollowing(s)
		if err := f.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.beat = func(ctx context.Context, _ store.Beat) (store.News, time.Duration, error) {
			news, err := hang[store.News](ctx)
			return news, 0, err
		}
		during(t, f, func() {
			time.Sleep(simBound / 10)
			began := time.Now()
			if err := f.Prove(t.Context()); err != nil || time.Since(began) > 0 {
				t.Errorf("%v, after %v", err, time.Since(began))
			}
		})
	})
}

// why: "A store may have it all the same and not tell": what is given back for
// nothing is given back a few times, not in each beat for hours.
func TestFollowerGivesBackForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		_, f, log := newFollowing(s)
		merges := 0
		s.merge = func(context.Context, []store.Entry) error { merges++; return nil }
		during(t, f, func() {
			s.end(t)
			time.Sleep(simBound)
			s.store.failover(1)
			time.Sleep(100 * simBound)
		})
		if merges != maxGiven {
			t.Errorf("%d merges", merges)
		}
		if n := log.count(); n > 10 {
			t.Errorf("%d lines are logged:\n%s", n, log.text.String())
		}
	})
}

// why: "A source that takes nothing says errors.ErrUnsupported", once.
func TestFollowerGivesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		v, f, _ := newFollowing(s)
		merges := 0
		s.merge = func(context.Context, []store.Entry) error { merges++; return errors.ErrUnsupported }
		during(t, f, func() {
			id := s.end(t)
			time.Sleep(simBound)
			s.store.failover(1)
			time.Sleep(10 * simBound)
			if !v.Ended(id) || !v.Status().Proven {
				t.Errorf("forgotten, or unproven: %+v", v.Status())
			}
		})
		if merges != 1 {
			t.Errorf("%d merges", merges)
		}
	})
}

// why: "To tell an old answer from one out of another history": whatever is
// pushed, the place in the log is right, or the view says that it is not.
func TestViewTakesOnlyWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, s := newSource(), newSource() // the old history has come further
		for range 14 {
			old.end(t)
		}
		for range 9 {
			s.end(t)
		}
		v, f, _ := newFollowing(s)
		if err := f.rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.cursor, v.recent = s.store.log[4].Cursor, recent{base: s.store.log[4].Cursor}
		for range 2000 {
			log := s.store.log
			if rand.IntN(2) == 0 {
				log = old.store.log
			}
			from := rand.IntN(len(log))
			f.hinted(t.Context(), store.LogGrew, headOf(log[:from]), log[from:from+rand.IntN(len(log)-from)+1])
			if at := v.cursor; headOf(s.store.log[:at.Pos]) != at {
				t.Fatalf("stands at %v, which is not in the log that it follows", at)
			}
		}
		if v.cursor != headOf(s.store.log) {
			t.Errorf("stands at %d, though everything was pushed", v.cursor.Pos)
		}
	})
}
