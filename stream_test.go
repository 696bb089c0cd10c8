package counterfoil_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// stream opens an event stream in the browser's session and returns the cause
// of its end.
func (b *browser) stream() (opened chan bool, cause chan error) {
	return b.streamOf(b.request("GET", "/", ""))
}

func (s *site) streamOf(r *http.Request) (opened chan bool, cause chan error) {
	opened, cause = make(chan bool), make(chan error, 1)
	h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := s.UntilEnd(r.Context())
		defer cancel()
		http.NewResponseController(w).Flush()
		close(opened)
		<-ctx.Done()
		cause <- context.Cause(ctx)
	}))
	go h.ServeHTTP(httptest.NewRecorder(), r)
	return opened, cause
}

// openStream is stream for one that has opened.
func (b *browser) openStream() (cause chan error) {
	opened, cause := b.stream()
	<-opened
	return cause
}

// wantEnd waits for the end of a stream.
func wantEnd(t *testing.T, what string, cause chan error, within time.Duration, want error) {
	t.Helper()
	start := time.Now()
	select {
	case err := <-cause:
		if waited := time.Since(start); waited > within {
			t.Errorf("%s: ended after %v, want within %v", what, waited, within)
		}
		if want != nil && !errors.Is(err, want) {
			t.Errorf("%s: cause %v, want %v", what, err, want)
		}
	case <-time.After(time.Minute):
		t.Errorf("%s: it goes on", what)
	}
}

// wantOpen checks that a stream goes on.
func wantOpen(t *testing.T, what string, cause chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-cause:
		t.Errorf("%s: it ended: %v", what, err)
	default:
	}
}

func TestUntilEnd(t *testing.T) {
	for _, c := range []struct {
		why    string
		end    func(*testing.T, *site, *browser, store.Store)
		within time.Duration
		want   error
	}{
		{"a logout here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { b.copy().post("/logout") }, 0, counterfoil.ErrEnded},
		{"all of the user's sessions here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { s.EndUser(t.Context(), "john") }, 0, counterfoil.ErrEnded},
		{"a rotation in another tab, here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { b.rotate() }, 0, counterfoil.ErrEnded},
		{"a second login in another tab, here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { b.loginAgain("john") }, 0, counterfoil.ErrEnded},
		{"everybody's here: at once", func(t *testing.T, s *site, b *browser, _ store.Store) { s.EndAll(t.Context()) }, 0, counterfoil.ErrEnded},
		{"by another process: within the bound", func(t *testing.T, s *site, b *browser, st store.Store) {
			rows, _ := st.List(t.Context(), store.Query{User: "john"})
			st.End(t.Context(), rows[0].ID, time.Hour)
		}, 2 * time.Second, counterfoil.ErrEnded},
		{"everybody's by another process: within the bound", func(t *testing.T, s *site, b *browser, st store.Store) {
			st.EndAll(t.Context(), time.Hour)
		}, 2 * time.Second, counterfoil.ErrEnded},
		{"7.3.1: it expires", func(*testing.T, *site, *browser, store.Store) { time.Sleep(time.Hour) }, 2 * time.Second, counterfoil.ErrEnded},
		{"16.5.3: the store is gone for longer than the bound", func(t *testing.T, s *site, b *browser, st store.Store) {
			st.Close()
		}, 2 * time.Second, counterfoil.ErrUnavailable},
		{"the manager is closed", func(t *testing.T, s *site, b *browser, st store.Store) { s.Close() }, 0, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newMemory()
				s := newSite(t, counterfoil.Config{Store: st})
				b := s.user("john")
				cause := b.openStream()
				time.Sleep(5 * time.Second)
				wantOpen(t, "before", cause)
				c.end(t, s, b, st)
				wantEnd(t, c.why, cause, c.within, c.want)
			})
		})
	}
}

// A stream does not keep its session alive, but other requests do.
func TestUntilEndGoesOnWhileTheSessionIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b := s.user("john")
		cause := b.openStream()
		for range 30 {
			time.Sleep(10 * time.Minute)
			b.me()
		}
		wantOpen(t, "while it is used", cause)
		b.post("/logout")
		wantEnd(t, "after the logout", cause, 0, counterfoil.ErrEnded)
	})
}

func TestUntilEndWithoutASession(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	s.browser().within(func(ctx context.Context) {
		watched, cancel := s.UntilEnd(ctx)
		defer cancel()
		if err := context.Cause(watched); !errors.Is(err, counterfoil.ErrNoSession) {
			t.Errorf("cause %v", err)
		}
	})
}

// Only what has ended is told.
func TestEndOthersSparesTheStreamAtHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b, phone, mary := s.user("john"), s.user("john"), s.user("mary")
		mine, his, hers := b.openStream(), phone.openStream(), mary.openStream()
		b.within(func(ctx context.Context) {
			if n, err := s.EndOthers(ctx); n != 1 || err != nil {
				t.Errorf("ended %d, %v", n, err)
			}
		})
		wantEnd(t, "the other device", his, 0, counterfoil.ErrEnded)
		time.Sleep(10 * time.Second)
		wantOpen(t, "the device at hand", mine)
		wantOpen(t, "another user", hers)
		if b.me().User != "john" {
			t.Error("EndOthers ended the session at hand")
		}
		b.post("/logout")
		mary.post("/logout")
		wantEnd(t, "the device at hand", mine, 0, counterfoil.ErrEnded)
		wantEnd(t, "another user", hers, 0, counterfoil.ErrEnded)
	})
}

// 10.4.5: a reused refresh token ends the session, and its streams at once.
func TestReuseOfARefreshTokenEndsTheStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		grant := s.client("john")
		opened, cause := s.streamOf(bearerRequest("GET", grant.Token))
		<-opened
		s.refresh(grant.RefreshToken)
		time.Sleep(time.Minute)
		wantOpen(t, "after a refresh", cause)
		s.wantDead("reuse", grant.RefreshToken)
		wantEnd(t, "after the reuse", cause, 0, counterfoil.ErrEnded)
	})
}

// endElsewhere ends all of a user's sessions as another process does.
func endElsewhere(t *testing.T, st store.Store, user string) {
	t.Helper()
	if _, err := st.EndUser(t.Context(), user, store.SID{}, time.Hour); err != nil {
		t.Fatal(err)
	}
}

// Between the check of the request and UntilEnd, and between UntilEnd and the
// first look into the log, nobody is told what ends: so both ask.
func TestUntilEndMissesNoEndAtItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		s := newSite(t, counterfoil.Config{Store: st})
		s.user("john").within(func(ctx context.Context) {
			endElsewhere(t, st, "john")
			watched, cancel := s.UntilEnd(ctx)
			defer cancel()
			if err := context.Cause(watched); !errors.Is(err, counterfoil.ErrEnded) {
				t.Errorf("it had ended before UntilEnd: cause %v", err)
			}
		})
		cause := s.user("mary").openStream()
		endElsewhere(t, st, "mary")
		wantEnd(t, "it ended right after UntilEnd", cause, 2*time.Second, counterfoil.ErrEnded)
	})
}

// A history that the store does not know any more, after a restore say, ends no
// stream and hides no end.
func TestUntilEndOverAGapInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := &faultSwitch{methods: []string{"Beat"}}
		lost.fault.Err = store.ErrUnknownCursor
		st := newMemory()
		s := newSite(t, counterfoil.Config{Store: lost.store(st)})
		cause := s.user("john").openStream()
		time.Sleep(5 * time.Second)
		lost.on.Store(true)
		time.Sleep(500 * time.Millisecond)
		lost.on.Store(false)
		time.Sleep(10 * time.Second)
		wantOpen(t, "after the position was unknown", cause)
		endElsewhere(t, st, "john")
		wantEnd(t, "after another process ended it", cause, 2*time.Second, counterfoil.ErrEnded)
	})
}

// A pagedStore answers Follow with two entries at a time, as one does that has
// more of them than store.MaxBatch.
type pagedStore struct{ store.Store }

func (p pagedStore) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	return p.Store.Follow(ctx, after, min(limit, 2))
}

// However many end at once, all are told within the bound.
func TestUntilEndReadsTheLogToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		s := newSite(t, counterfoil.Config{Store: pagedStore{st}})
		cause := s.user("john").openStream()
		time.Sleep(5 * time.Second)
		for range 100 {
			s.user("mary")
		}
		endElsewhere(t, st, "mary")
		endElsewhere(t, st, "john")
		wantEnd(t, "the last of a hundred", cause, 2*time.Second, counterfoil.ErrEnded)
	})
}

// DESIGN: "lease = local send time, not receive time". An answer is as old as
// its question, so that is where the bound counts from.
func TestUntilEndCountsFromTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &faultSwitch{methods: []string{"Beat"}}
		slow.fault.Delay = 700 * time.Millisecond
		st := newMemory()
		var asked time.Time // the last question that was answered
		s := newSite(t, counterfoil.Config{Store: slow.store(st), OnStore: func(ctx context.Context, method string) (context.Context, func(error)) {
			start := time.Now()
			return ctx, func(err error) {
				if method == "Beat" && err == nil {
					asked = start
				}
			}
		}})
		cause := s.user("john").openStream()
		time.Sleep(5 * time.Second)
		slow.on.Store(true)
		time.Sleep(10*time.Second + 100*time.Millisecond)
		wantOpen(t, "a store that answers within the bound", cause)
		st.Close()
		wantEnd(t, "a store that is gone", cause, 2*time.Second, counterfoil.ErrUnavailable)
		if age := time.Since(asked); age > 2*time.Second {
			t.Errorf("the stream went on for %v on one answer, the bound is 2s", age)
		}
	})
}

// 16.5.3: a store that does not answer at all is gone, too.
func TestUntilEndWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &faultSwitch{}
		hang.fault.Hang = true
		s := newSite(t, counterfoil.Config{Store: hang.store(newMemory())})
		b := s.user("john")
		cause := b.openStream()
		time.Sleep(5 * time.Second)
		b.within(func(ctx context.Context) {
			hang.on.Store(true)
			start := time.Now()
			watched, cancel := s.UntilEnd(ctx)
			defer cancel()
			<-watched.Done()
			if waited := time.Since(start); waited > 2*time.Second || !errors.Is(context.Cause(watched), counterfoil.ErrUnavailable) {
				t.Errorf("a stream that begins now ended after %v with the cause %v", waited, context.Cause(watched))
			}
		})
		wantEnd(t, "a stream that was open", cause, 0, counterfoil.ErrUnavailable)
		hang.on.Store(false)
	})
}

// UntilEnd: "the context also ends with Manager.Close", whichever comes first.
func TestUntilEndAfterClose(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	b := s.user("john")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.within(func(ctx context.Context) {
		watched, cancel := s.UntilEnd(ctx)
		defer cancel()
		if watched.Err() == nil {
			t.Error("nobody would tell it that its session has ended")
		}
	})
}

// A stream that is over is not watched any more, even if nobody called cancel.
func TestStreamsAreForgotten(t *testing.T) {
	for _, c := range []struct {
		why  string
		over func(cancel, hangUp context.CancelFunc)
	}{
		{"cancel was called", func(cancel, _ context.CancelFunc) { cancel() }},
		{"cancel was forgotten, and the client hung up", func(_, hangUp context.CancelFunc) { hangUp() }},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config, calls := countingConfig()
				s := newSite(t, config)
				b := s.user("john")
				ctx, hangUp := context.WithCancel(t.Context())
				defer hangUp()
				r := b.request("GET", "/", "").WithContext(ctx)
				b.pass(r, s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, cancel := s.UntilEnd(r.Context())
					time.Sleep(10 * time.Second)
					if calls("Follow") == 0 {
						t.Error("it is not watched")
					}
					c.over(cancel, hangUp)
				})))
				time.Sleep(10 * time.Second)
				before := calls("Follow") + calls("Snapshot") + calls("Find")
				time.Sleep(10 * time.Second)
				if n := calls("Follow") + calls("Snapshot") + calls("Find") - before; n != 0 {
					t.Errorf("the stream is over, and the store was asked %d times in 10 s", n)
				}
			})
		})
	}
}
