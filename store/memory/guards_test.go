package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// login is what creates a session of a user.
func login(user string) store.Creation {
	return store.Creation{
		Session:  store.Session{ID: store.NewSID(time.Now()), User: user, Idle: time.Hour},
		Lifetime: time.Hour, Retain: time.Hour,
		Values: make([]byte, 2*maxNear),
	}
}

func create(t *testing.T, s *Store, c store.Creation) store.SID {
	t.Helper()
	created, err := s.Create(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return created.ID
}

func TestSessionsAreFoundWhileOthersChange(t *testing.T) {
	s := New(Config{})
	defer s.Close()
	id := create(t, s, login("u"))

	// Somebody is at work on every session but those of one guard.
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.guards.each {
		if g := &s.guards.each[i]; g != s.guard(id) {
			g.Lock()
			defer g.Unlock()
		}
	}
	done := make(chan error)
	go func() {
		_, err := s.Find(t.Context(), id)
		values, _, err2 := s.Values(t.Context(), id)
		if len(values) == 0 {
			err2 = errors.Join(err2, errors.New("the values are missing"))
		}
		_, err3 := s.FindRefresh(t.Context(), store.Rotation{ID: id})
		if errors.Is(err3, store.ErrNotFound) { // there is no token, as it can tell
			err3 = nil
		}
		done <- errors.Join(err, err2, err3)
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a reader waits")
	}
}

// What happens in one transaction is seen by no reader in part, although he
// holds the guard of one session at a time.
func TestTransactionsAreSeenWhole(t *testing.T) {
	const rounds, logins = 100, 8
	ctx := t.Context()
	finds := func(s *Store, id store.SID) bool {
		_, err := s.Find(ctx, id)
		return err == nil
	}
	for why, do := range map[string]func(s *Store, old []store.SID, next store.Creation) error{
		"EndUser ends all of the user's sessions at once": func(s *Store, _ []store.SID, _ store.Creation) error {
			_, err := s.EndUser(ctx, "u", store.SID{}, time.Hour)
			return err
		},
		"EndAll ends all sessions at once": func(s *Store, _ []store.SID, _ store.Creation) error {
			_, err := s.EndAll(ctx, time.Hour)
			return err
		},
		"Merge ends what all its entries name at once": func(s *Store, old []store.SID, _ store.Creation) error {
			var entries []store.Entry
			for _, id := range old {
				entries = append(entries, store.Entry{Kind: store.SessionEnded, Session: id, Expires: time.Now().Add(time.Hour)})
			}
			return s.Merge(ctx, entries)
		},
		"Create ends what exceeds the limit when it adds": func(s *Store, _ []store.SID, next store.Creation) error {
			next.Limit = 1
			_, err := s.Create(ctx, next)
			return err
		},
	} {
		t.Run(why, func(t *testing.T) {
			for range rounds {
				s := New(Config{})
				var old []store.SID
				for range logins {
					old = append(old, create(t, s, login("u")))
				}
				next := login("u")
				var done atomic.Bool
				var wg sync.WaitGroup
				for k := range logins - 1 {
					wg.Go(func() {
						for over := false; !over; {
							over = done.Load()
							switch first := finds(s, old[k]); {
							case !first && finds(s, old[k+1]):
								t.Errorf("session %d is gone, and %d is live", k, k+1)
								return
							case first && finds(s, next.Session.ID) && finds(s, old[k]):
								t.Errorf("session %d is live, and its successor too", k)
								return
							}
						}
					})
				}
				err := do(s, old, next)
				done.Store(true)
				wg.Wait()
				if err != nil {
					t.Fatal(err)
				}
				s.Close()
			}
		})
	}
}

// A token counts its expiry from Session.AsOf, and the log's entry from the time
// of the end: so that the entry outlives the token, nobody may see a session at
// a time after its end.
func TestNobodySeesASessionAfterItsEnd(t *testing.T) {
	const retain = time.Hour
	ctx := t.Context()
	for name, end := range map[string]func(*Store, store.SID) error{
		"End":     func(s *Store, id store.SID) error { _, err := s.End(ctx, id, retain); return err },
		"EndUser": func(s *Store, _ store.SID) error { _, err := s.EndUser(ctx, "u", store.SID{}, retain); return err },
		"EndAll":  func(s *Store, _ store.SID) error { _, err := s.EndAll(ctx, retain); return err },
		"Create": func(s *Store, id store.SID) error {
			c := login("u")
			c.Replaces, c.Retain = id, retain
			_, err := s.Create(ctx, c)
			return err
		},
		"RotateRefresh": func(s *Store, id store.SID) error {
			r := store.Rotation{ID: id, Family: store.Digest{1}, Presented: store.Digest{3}, Retain: retain}
			if _, err := s.RotateRefresh(ctx, r); !errors.Is(err, store.ErrReused) {
				return fmt.Errorf("a wrong token: error %w", err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Config{})
			defer s.Close()
			c := login("u")
			c.Refresh = store.RefreshSeed{Family: store.Digest{1}, Current: store.Digest{2}}
			id := create(t, s, c)

			// A reader has the guard when the end begins.
			s.guard(id).RLock()
			done := make(chan error)
			go func() { done <- end(s, id) }()
			for s.mu.TryLock() {
				s.mu.Unlock()
				time.Sleep(time.Millisecond)
			}
			time.Sleep(5 * time.Millisecond)
			var seen store.Session
			err := s.find(id, s.clock.Now(), &seen)
			s.guard(id).RUnlock()
			if err := errors.Join(err, <-done); err != nil {
				t.Fatal(err)
			}
			if e := s.log.entry(s.log.count - 1); e.Expires.Before(seen.AsOf.Add(retain)) {
				t.Errorf("it was seen at %v, and the entry of its end expires %v later", seen.AsOf, e.Expires.Sub(seen.AsOf))
			}
		})
	}
}

// Pieces of different guards lie side by side, and their links, agents and pages
// change under the readers: the race detector has a look.
func TestReadersAndWritersAtTheSameTime(t *testing.T) {
	ctx := t.Context()
	s := New(Config{})
	defer s.Close()
	var ids []store.SID
	for range 50 {
		c := login("stays")
		c.Session.UserAgent = "stays"
		ids = append(ids, create(t, s, c))
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	for k := range 3 {
		wg.Go(func() {
			for i := k; !done.Load(); i++ {
				id := ids[i%len(ids)]
				session, err := s.Find(ctx, id)
				_, version, err2 := s.Values(ctx, id)
				if err != nil || err2 != nil || session.User != "stays" || session.UserAgent != "stays" {
					t.Errorf("session %d of %q by %q: %v, %v", i, session.User, session.UserAgent, err, err2)
					return
				}
				if k == 0 {
					_ = s.SaveValues(ctx, id, version, make([]byte, i%(2*maxNear)))
					_ = s.Touch(ctx, []store.Touch{{ID: id, At: time.Now()}})
				}
				if k == 1 && i%100 == 0 {
					if all, err := s.List(ctx, store.Query{}); err != nil || len(all) < len(ids) {
						t.Errorf("%d are listed, error %v", len(all), err)
					}
				}
			}
		})
	}
	for i := range 3000 {
		c := login("goes")
		c.Session.Idle = time.Millisecond
		c.Session.UserAgent = string(binary.LittleEndian.AppendUint32(nil, uint32(i)))
		if i%10 == 0 {
			c.Session.User, c.Session.Idle = "ends", time.Hour
		}
		create(t, s, c)
		switch {
		case i%20 == 0:
			if _, err := s.End(ctx, c.Session.ID, time.Hour); err != nil {
				t.Fatal(err)
			}
		case i%100 == 10:
			if _, err := s.EndUser(ctx, "ends", store.SID{}, time.Hour); err != nil {
				t.Fatal(err)
			}
		case i%50 == 5:
			if _, err := s.Purge(ctx, 100); err != nil {
				t.Fatal(err)
			}
		}
	}
	done.Store(true)
	wg.Wait()
}
