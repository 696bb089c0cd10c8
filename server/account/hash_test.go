package account

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

func TestFullCost(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		const why = "req 34: Argon2id with m=19456 KiB, t=2, p=1"
		a, err := openWith(t.Context(), where, Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		add(t, a, "john")
		var hash string
		if err := a.db.One(t.Context(), database.Into(&hash), `SELECT hash FROM account_user`); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("a password is stored as %.40s…: %s", hash, why)
		}
		if err := login(t, a, "john", good, here); err != nil {
			t.Errorf("right: %v", err)
		}
		wantError(t, login(t, a, "john", good+".", here), ErrCredentials)
		wantError(t, login(t, a, "jane", good, here), ErrCredentials)
	})
}

func TestOldHashesAreRenewed(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		add(t, open(t, where), "john")
		stronger := cost{memory: 16, time: 2, threads: 1}
		a, err := openWith(t.Context(), where, Config{cost: stronger, HashParallelism: 4})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		stored := func() (hash string) {
			if err := a.db.One(t.Context(), database.Into(&hash), `SELECT hash FROM account_user`); err != nil {
				t.Fatal(err)
			}
			return hash
		}
		old := stored()
		wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
		if stored() != old {
			t.Error("a wrong password changed the hash")
		}
		for _, err := range parallel(16, func(int) error { return login(t, a, "john", good, here) }) {
			if err != nil {
				t.Errorf("a login that another one renews the hash for: %v", err)
			}
		}
		if !strings.Contains(stored(), "m=16,t=2,p=1") {
			t.Errorf("after a login the hash is %s, want the stronger cost", stored())
		}
		if pending, err := a.PendingCutoffs(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("a renewed hash is no changed password: %v, %v", pending, err)
		}
		// The change of password that renews on the way works too.
		if _, err := a.db.Exec(t.Context(), `UPDATE account_user SET hash = $1`, old); err != nil {
			t.Fatal(err)
		}
		u, _ := a.Find(t.Context(), "john")
		if _, err := a.ChangePassword(t.Context(), Change{UserID: u.ID, Old: good, New: another, Address: here}); err != nil {
			t.Errorf("ChangePassword with an old hash: %v", err)
		}
	})
}

func TestDamagedHash(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		for _, hash := range []string{
			"",
			"$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + strings.Repeat("A", 43),
			"$argon2id$v=16$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + strings.Repeat("A", 43),
			"$argon2id$v=19$m=8,t=0,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + strings.Repeat("A", 43),
			"$argon2id$v=19$m=8,t=1,p=0$c2FsdHNhbHRzYWx0c2FsdA$" + strings.Repeat("A", 43),
			"$argon2id$v=19$m=4000000000,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + strings.Repeat("A", 43),
			"$argon2id$v=19$m=8,t=1,p=1$c2FsdA$" + strings.Repeat("A", 43),
			"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$",
			"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$!!!",
		} {
			if _, err := a.db.Exec(t.Context(), `UPDATE account_user SET hash = $1`, hash); err != nil {
				t.Fatal(err)
			}
			err := login(t, a, "john", good, here)
			if !errors.Is(err, errPHC) {
				t.Errorf("with the hash %q: %v, want %v", hash, err, errPHC)
			}
			if _, err := a.db.Exec(t.Context(), `DELETE FROM account_throttle`); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestHashingIsBounded(t *testing.T) {
	const why = "req 34: hashing in parallel is bounded, so that a login flood cannot exhaust memory"
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheap, 2)
		var running, most atomic.Int64
		h.derive = func(password, salt []byte, c cost) []byte {
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(100 * time.Millisecond)
			running.Add(-1)
			return make([]byte, keySize)
		}
		busy := 0
		for _, err := range parallel(cap(h.turns)+maxQueue+50, func(int) error {
			done, err := h.turn(t.Context())
			if err != nil {
				return err
			}
			defer done()
			h.hash("password")
			return nil
		}) {
			if errors.Is(err, ErrBusy) {
				busy++
			} else if err != nil {
				t.Error(err)
			}
		}
		if most.Load() != 2 {
			t.Errorf("%d hashes at once, want 2: %s", most.Load(), why)
		}
		if busy != 50 {
			t.Errorf("%d are turned away, want 50: the queue is bounded too", busy)
		}
	})
}

func TestHashingMakesWay(t *testing.T) {
	const (
		took = 100 * time.Millisecond // one hash
		many = 20
	)
	for _, c := range []struct {
		name  string
		asked func(h *hasher)
		want  time.Duration
		why   string
	}{
		{"nobody asks", func(h *hasher) {}, many * took, "an idle server hashes one after the other"},
		{"others ask", func(h *hasher) { h.makeWay() }, many*took + (many-1)*restAfter(took), "most of the time is theirs"},
		{"somebody asked once", func(h *hasher) {
			if time.Since(h.begun) < took {
				h.makeWay()
			}
		}, many*took + 4*restAfter(took), "for a second more: four hashes and their rests"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHasher(cheap, 1)
				time.Sleep(time.Millisecond)
				h.derive = func(password, salt []byte, _ cost) []byte {
					c.asked(h)
					time.Sleep(took)
					return make([]byte, keySize)
				}
				begun := time.Now()
				for _, err := range parallel(many, func(i int) error {
					done, err := h.turn(t.Context())
					if err != nil {
						return err
					}
					defer done()
					if i%2 == 0 {
						_, _, err = h.matches(h.nobody, "wrong")
					} else {
						h.hash("password")
					}
					return err
				}) {
					if err != nil {
						t.Error(err)
					}
				}
				if took := time.Since(begun); took != c.want {
					t.Errorf("%d hashes take %v, want %v: %s", many, took, c.want, c.why)
				}
				time.Sleep(2 * took) // the last rest
			})
		})
	}
}

func TestWaitingForATurnIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheap, 1)
		for range cap(h.turns) {
			if _, err := h.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		_, err := h.turn(t.Context())
		if took := time.Since(begun); !errors.Is(err, ErrBusy) || took != maxWait {
			t.Errorf("turn = %v after %v, want %v after %v: there must be time left to answer", err, took, ErrBusy, maxWait)
		}
	})
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheap, 1)
		var done func()
		for range cap(h.turns) {
			var err error
			if done, err = h.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("turn = %v, want %v", err, context.DeadlineExceeded)
		}
		done()
		if _, err := h.turn(t.Context()); err != nil {
			t.Errorf("turn = %v after another is done", err)
		}
	})
}

// The time of a login is its hash, by far. So the test of equal time counts
// hashes and compares what they cost.
func TestNoEnumeration(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		gone := add(t, a, "gone")
		if _, err := a.Disable(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
		var costs []cost
		derive := a.hasher.derive
		a.hasher.derive = func(password, salt []byte, c cost) []byte {
			costs = append(costs, c)
			return derive(password, salt, c)
		}
		for _, c := range []struct{ name, password, why string }{
			{"john", "wrong", "a wrong password"},
			{"nobody", good, "6.3.8: a name that nobody has"},
			{"not a name", good, "a name that nobody can have"},
			{strings.Repeat("x", 10_000), good, "a name of any length"},
			{"gone", good, "a disabled user with the right password"},
			{"gone", "wrong", "a disabled user with a wrong one"},
			{"john", strings.Repeat("x", 10_000), "a password that nobody can have"},
			{"john", "", "no password"},
			{"", "", "nothing at all"},
		} {
			costs = nil
			if err := login(t, a, c.name, c.password, here); err != ErrCredentials {
				t.Errorf("%s: %v, want %v", c.why, err, ErrCredentials)
			}
			if len(costs) != 1 || costs[0] != cheap {
				t.Errorf("%s costs the hashes %v, want one of %v, as for everybody", c.why, costs, cheap)
			}
		}
	})
}
