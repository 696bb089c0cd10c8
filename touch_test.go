package counterfoil_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

// D7: a session that is used a thousand times a minute is written once a
// minute, in one batch with the others, and its last use is not lost.
func TestTouchesAreThrottledAndBatched(t *testing.T) {
	t.Parallel() // it takes a while
	synctest.Test(t, func(t *testing.T) {
		config, calls := countingConfig()
		s := newSite(t, config)
		a, b := s.user("john"), s.user("mary")
		for range 10 * 60 * 4 {
			time.Sleep(time.Second / 4)
			a.me()
			b.me()
		}
		time.Sleep(2 * time.Second)
		if n := calls("Touch"); n < 9 || n > 20 {
			t.Errorf("%d writes in 10 minutes of use of two sessions, want about one a minute for both", n)
		}
		list, err := s.Sessions(t.Context(), "john")
		if err != nil || time.Since(list[0].LastSeen()) > time.Minute+3*time.Second {
			t.Errorf("last seen %v ago, %v", time.Since(list[0].LastSeen()), err)
		}
	})
}

// Close writes what was not yet written.
func TestCloseFlushesTouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, calls := countingConfig()
		m, err := counterfoil.New(config)
		if err != nil {
			t.Fatal(err)
		}
		grant, err := m.LoginClient(t.Context(), counterfoil.Login{User: "john"}, counterfoil.Client{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute + time.Millisecond)
		if _, err := m.CheckToken(t.Context(), grant.Token); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if calls("Touch") != 1 {
			t.Errorf("%d touches were written", calls("Touch"))
		}
	})
}

// A slowStore takes a second for each write of last-seen times, unless it is
// told to stop.
type slowStore struct{ store.Store }

func (s slowStore) Touch(ctx context.Context, touches []store.Touch) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
		return s.Store.Touch(ctx, touches)
	}
}

// Nor does Close break off what is being written.
func TestCloseLosesNoTouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		m, err := counterfoil.New(counterfoil.Config{Store: slowStore{st}})
		if err != nil {
			t.Fatal(err)
		}
		grant, err := m.LoginClient(t.Context(), counterfoil.Login{User: "john"}, counterfoil.Client{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := m.CheckToken(t.Context(), grant.Token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // the write has begun
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if seen := lastSeen(t, st, "john"); time.Since(seen) > 3*time.Second {
			t.Errorf("last seen %v ago, and Close returned nil", time.Since(seen))
		}
	})
}

func lastSeen(t *testing.T, st store.Store, user string) time.Time {
	t.Helper()
	rows, err := st.List(t.Context(), store.Query{User: user})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d sessions, %v", len(rows), err)
	}
	return rows[0].LastSeen
}

// More than one batch of the store's is written at once.
func TestTouchesOfManySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = store.MaxTouchSize + 100
		st := newMemory()
		s := newSite(t, counterfoil.Config{Store: st})
		visitors := make([]*browser, n)
		for i := range visitors {
			visitors[i] = s.visitor()
		}
		time.Sleep(30 * time.Minute)
		for _, b := range visitors {
			b.get("/nothing")
		}
		time.Sleep(5 * time.Second)
		rows, err := st.List(t.Context(), store.Query{})
		if err != nil || len(rows) != n {
			t.Fatalf("%d sessions, %v", len(rows), err)
		}
		for _, row := range rows {
			if ago := time.Since(row.LastSeen); ago > time.Minute {
				t.Fatalf("a session that was just used was last seen %v ago", ago)
			}
		}
	})
}

// 7.2.4, 7.3.1: the id is public. Who knows it, and not the secret, does not
// keep the session from running out.
func TestAWrongSecretIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		b, prodder := s.user("john"), s.browser()
		good := b.cookies[cookieName]
		prodder.cookies[cookieName] = flipAt(good, len(good)-20)
		for range 4 {
			time.Sleep(20 * time.Minute)
			if prodder.me().User != "" {
				t.Fatal("a wrong secret was accepted")
			}
		}
		if b.me().User != "" {
			t.Error("the session lives, 80 minutes after its last use")
		}
	})
}

// Expired sessions are removed without anybody asking for them, all that there
// are.
func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		s := newSite(t, counterfoil.Config{Store: st})
		for range 1000 {
			s.visitor()
		}
		time.Sleep(61*time.Minute + 30*time.Second) // one hour, a round of the purge, and some
		if left, err := st.Purge(t.Context(), 1000); left != 0 || err != nil {
			t.Errorf("%d expired sessions are left, %v", left, err)
		}
	})
}
