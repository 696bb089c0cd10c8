package memory_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.New(memory.Config{}) })
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := memory.New(memory.Config{MaxSessions: 3})
		defer s.Close()
		var first store.SID
		create := func(change func(*store.Creation)) error {
			c := typical(1)
			change(&c)
			created, err := s.Create(ctx, c)
			if err == nil && first.IsZero() {
				first = created.ID
			}
			return err
		}
		for range 3 {
			if err := create(asIs); err != nil {
				t.Fatal(err)
			}
		}
		for why, c := range map[string]struct {
			change func(*store.Creation)
			want   error
		}{
			"ErrFull: the store has reached its configured size.": {asIs, store.ErrFull},
			"A session that takes the place of another needs none.": {func(c *store.Creation) {
				c.Replaces, first = first, c.Session.ID
			}, nil},
		} {
			if err := create(c.change); !errors.Is(err, c.want) {
				t.Errorf("%s\ngot error %v, want %v", why, err, c.want)
			}
		}
		time.Sleep(2 * time.Hour)
		if err := create(asIs); err != nil {
			t.Errorf("Expired sessions make room before they are purged.\ngot error %v", err)
		}
	})
}

func TestPurgeStopsWithItsContext(t *testing.T) {
	s, _ := filled(t, 10, asIs)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := s.Purge(ctx, 10); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("removed %d, error %v, want 0, %v", n, err, context.Canceled)
	}
}

func TestBytesPerSession(t *testing.T) {
	const sessions, most = 20_000, 400
	before := heap()
	s, _ := filled(t, sessions, asIs)
	got := (heap() - before - sessions*16) / sessions        // less the ids
	if _, err := s.Generation(t.Context(), ""); err != nil { // the store is alive until here
		t.Error(err)
	}
	if got > most {
		t.Errorf("a session takes %d bytes, want at most %d", got, most)
	}
}
