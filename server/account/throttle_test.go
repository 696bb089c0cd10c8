package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestFiveSlipsCostNothing(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		for range 3 {
			for range freePerson - 1 {
				wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
			}
			if err := login(t, a, "john", good, here); err != nil {
				t.Fatalf("after 4 slips: %v; a user who succeeds is not slowed, and starts afresh", err)
			}
		}
	})
}

func TestWaitDoubles(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		hashes := countHashes(a)
		for range freePerson {
			wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
		}
		for _, want := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
			wait := time.Duration(want) * time.Second
			before := hashes.Load()
			throttled := wantThrottled(t, login(t, a, "john", good, here))
			if throttled.RetryAfter > wait || throttled.RetryAfter < wait-50*time.Millisecond {
				t.Fatalf("RetryAfter = %v, want %v: the wait doubles from 1 s to 15 min", throttled.RetryAfter, wait)
			}
			time.Sleep(throttled.RetryAfter - time.Millisecond)
			wantThrottled(t, login(t, a, "john", good, here))
			if hashes.Load() != before {
				t.Fatal("a throttled password was looked at: then it could be guessed all the same")
			}
			time.Sleep(2 * time.Millisecond)
			wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
		}
		time.Sleep(longestWait)
		if err := login(t, a, "john", good, here); err != nil {
			t.Fatalf("after the wait: %v", err)
		}
		wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
	})
}

func TestDailyGuesses(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		hashes := countHashes(a)
		for start := time.Now(); time.Since(start) < 24*time.Hour; {
			err := login(t, a, "john", "wrong", netip.AddrFrom4([4]byte{10, byte(time.Now().Minute()), byte(time.Now().Second())}))
			var throttled *ThrottledError
			if errors.As(err, &throttled) {
				time.Sleep(throttled.RetryAfter)
			}
		}
		if n := hashes.Load(); n > 111 || n < 90 {
			t.Errorf("a patient guesser from many addresses has %d guesses on the first day; the documentation says 5, 10 more, and 96 a day (req 35)", n)
		}
	})
}

func TestParallelGuesses(t *testing.T) {
	for _, c := range []struct{ name, why string }{
		{"john", "D15: parallel guesses count one by one"},
		{"nobody", "6.3.8: a name that nobody has is throttled the same"},
		{"no such name", "and so is one that nobody can have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, where string) {
				a := open(t, where)
				add(t, a, "john")
				hashes := countHashes(a)
				for _, err := range parallel(100, func(i int) error {
					return login(t, a, c.name, fmt.Sprint("guess ", i), here)
				}) {
					var throttled *ThrottledError
					if !errors.Is(err, ErrCredentials) && !errors.As(err, &throttled) {
						t.Errorf("error = %v", err)
					}
				}
				if n := hashes.Load(); n != freePerson {
					t.Errorf("of 100 guesses at once %d were checked, want %d: %s", n, freePerson, c.why)
				}
				time.Sleep(firstWait)
				parallel(100, func(i int) error { return login(t, a, c.name, "another guess", here) })
				if n := hashes.Load(); n != freePerson+1 {
					t.Errorf("of 100 more after the wait %d were checked, want 1: %s", n-freePerson, c.why)
				}
			})
		})
	}
}

func TestParallelLogins(t *testing.T) {
	const why = "throttles count failures: a user who succeeds is not slowed, 64 times at once neither"
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		for slips := range 2 {
			for range slips * (freePerson - 1) { // one place is left
				wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
			}
			for _, err := range parallel(64, func(int) error { return login(t, a, "john", good, here) }) {
				if err != nil {
					t.Errorf("%v: %s", err, why)
				}
			}
		}
	})
}

func TestParallelMixed(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		hashes := countHashes(a)
		parallel(90, func(i int) error {
			if i%3 == 0 {
				return login(t, a, "jane", "wrong", here)
			}
			return login(t, a, "john", "wrong", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		})
		if n := hashes.Load(); n != 2*freePerson {
			t.Errorf("%d guesses at two names were checked, want %d: each name has its own bucket, whatever the address", n, 2*freePerson)
		}
	})
}

func TestTwoProcessesShareTheCount(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		nodes := []*Accounts{open(t, where), open(t, where)}
		hashes := []*atomic.Int64{countHashes(nodes[0]), countHashes(nodes[1])}
		add(t, nodes[0], "john")
		for _, err := range parallel(32, func(i int) error { return login(t, nodes[i%2], "john", good, here) }) {
			if err != nil {
				t.Errorf("right passwords at two processes: %v", err)
			}
		}
		before := hashes[0].Load() + hashes[1].Load()
		parallel(40, func(i int) error { return login(t, nodes[i%2], "john", "wrong", here) })
		if n := hashes[0].Load() + hashes[1].Load() - before; n != freePerson {
			t.Errorf("two processes checked %d guesses, want %d", n, freePerson)
		}
	})
}

func TestThrottleSurvivesARestart(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		for range freePerson {
			wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		wantThrottled(t, login(t, open(t, where), "john", good, here))
	})
}

func TestStrangersCannotLock(t *testing.T) {
	// 6.1.1: strangers cannot lock an account. John has logged in at home and
	// with his device; then strangers guess at him from everywhere.
	for _, c := range []struct {
		from       netip.Addr
		withDevice bool
		later      time.Duration
		want       bool
		why        string
	}{
		{here, false, 0, true, "he is known at the address that he logged in from"},
		{here, false, 29 * 24 * time.Hour, true, "for 30 days"},
		{here, false, 31 * 24 * time.Hour, false, "and no longer"},
		{elsewhere, true, 0, true, "he is known by his device, even from where the strangers are"},
		{elsewhere, true, 179 * 24 * time.Hour, true, "for 180 days"},
		{elsewhere, true, 181 * 24 * time.Hour, false, "and no longer"},
		{elsewhere, false, 0, false, "without it he is a stranger there"},
	} {
		inTime(t, func(t *testing.T, where string) {
			a := open(t, where)
			u := add(t, a, "john")
			if err := login(t, a, "john", good, here); err != nil {
				t.Fatal(err)
			}
			device, err := a.RememberDevice(t.Context(), u.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			if !c.withDevice {
				device = ""
			}
			time.Sleep(c.later)
			for range freePerson {
				wantError(t, login(t, a, "john", "wrong", elsewhere), ErrCredentials)
			}
			for i := range freeAddress {
				login(t, a, fmt.Sprint("name", i), "wrong", elsewhere)
				wantError(t, login(t, a, fmt.Sprint("other", i), "wrong", here), ErrCredentials)
			}
			_, err = a.Authenticate(t.Context(), Attempt{Name: "john", Password: good, Address: c.from, Device: device})
			if (err == nil) != c.want {
				t.Errorf("after %v from %v: %v: %s", c.later, c.from, err, c.why)
			}
		})
	}
}

func TestKnownDeviceIsThrottledToo(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "john")
		device, err := a.RememberDevice(t.Context(), u.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		add(t, a, "jane")
		try := func(name, password string) error {
			_, err := a.Authenticate(t.Context(), Attempt{Name: name, Password: password, Address: elsewhere, Device: device})
			return err
		}
		for range freePerson {
			wantError(t, try("john", "wrong"), ErrCredentials)
		}
		wantThrottled(t, try("john", good)) // a stolen device has no more guesses than others
		for range freePerson {
			wantError(t, try("jane", "wrong"), ErrCredentials)
		}
		wantThrottled(t, try("jane", good))
		wantThrottled(t, login(t, a, "jane", good, elsewhere)) // john's device is a stranger to jane
	})
}

func TestAddressBucket(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		add(t, a, "jane")
		if err := login(t, a, "jane", good, elsewhere); err != nil {
			t.Fatal(err)
		}
		for i := range freeAddress {
			wantError(t, login(t, a, fmt.Sprint("name", i), "wrong", here), ErrCredentials)
			if err := login(t, a, "jane", good, elsewhere); err != nil {
				t.Fatal(err)
			}
		}
		throttled := wantThrottled(t, login(t, a, "john", good, here)) // 20 slips for an address cost nothing, then everybody waits
		if err := login(t, a, "john", good, elsewhere); err != nil {
			t.Errorf("another address: %v", err)
		}
		time.Sleep(throttled.RetryAfter)
		if err := login(t, a, "john", good, here); err != nil {
			t.Errorf("after the wait: %v", err)
		}
		wantError(t, login(t, a, "fred", "wrong", here), ErrCredentials)
		wantThrottled(t, login(t, a, "fred", "wrong", here)) // john's success does not clear the address: he may be the guesser
	})
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		address, want, why string
	}{
		{"192.0.2.1", "192.0.2.1/32", "an IPv4 address stands for itself"},
		{"::ffff:192.0.2.1", "192.0.2.1/32", "in IPv6 clothes too"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "an IPv6 client commands a whole /64"},
		{"2001:db8:1:2:ffff::", "2001:db8:1:2::/64", "so all of it is one place"},
		{"2001:db8:1:3::1", "2001:db8:1:3::/64", "and the next one another"},
		{"fe80::1%eth0", "fe80::/64", "the zone is this machine's, not the client's"},
	} {
		if got := placeOf(netip.MustParseAddr(c.address)); got != c.want {
			t.Errorf("placeOf(%s) = %s, want %s: %s", c.address, got, c.want, c.why)
		}
	}
	if got := placeOf(netip.Addr{}); got != "" {
		t.Errorf("placeOf of no address = %q", got)
	}
}

func TestUnknownAddressIsNoPlace(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		if err := login(t, a, "john", good, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		if n := count(t, a, `SELECT count(*) FROM account_place`); n != 0 {
			t.Error("whoever comes without an address would be known there")
		}
	})
}

func TestHangingUpCounts(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		derive := a.hasher.derive
		for range freePerson {
			ctx, hangUp := context.WithCancel(t.Context())
			a.hasher.derive = func(password, salt []byte, c cost) []byte {
				hangUp()
				return derive(password, salt, c)
			}
			_, err := a.Authenticate(ctx, Attempt{Name: "john", Password: "wrong", Address: here})
			wantError(t, err, ErrCredentials) // the outcome is on record: nobody waits for it
		}
		a.hasher.derive = derive
		wantThrottled(t, login(t, a, "john", good, here))
	})
}

func TestAttemptsOfADeadProcessFail(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		dead := open(t, where)
		add(t, dead, "john")
		for range freePerson { // it dies before the passwords are checked
			leave(t, dead, "john")
		}
		dead.Close()

		a := open(t, where)
		start := time.Now()
		wantThrottled(t, login(t, a, "john", good, here))
		if waited := time.Since(start); waited != patience {
			t.Errorf("an attempt waited %v for the places of others, want %v", waited, patience)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Authenticate(ctx, Attempt{Name: "john", Password: good, Address: here}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an attempt whose visitor has gone: %v", err)
		}
		time.Sleep(attemptLife)
		throttled := wantThrottled(t, login(t, a, "john", good, here)) // they count as failures now
		time.Sleep(throttled.RetryAfter)
		if err := login(t, a, "john", good, here); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

// leave begins an attempt and does not finish it.
func leave(t *testing.T, a *Accounts, name string) ticket {
	t.Helper()
	left, done, err := a.admit(t.Context(), guess{key: name, address: here})
	if err != nil {
		t.Fatal(err)
	}
	done()
	return left
}

// Who waits for the outcome of others' attempts holds nobody else up.
func TestWaitingAttemptsLeaveTheirTurn(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		add(t, a, "mary")
		for range freePerson {
			leave(t, a, "john")
		}
		var waiting sync.WaitGroup
		for range 2 * cap(a.hasher.turns) {
			waiting.Go(func() { wantThrottled(t, login(t, a, "john", good, here)) })
		}
		synctest.Wait()
		start := time.Now()
		if err := login(t, a, "mary", good, here); err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("mary waited %v for john's attempts", waited)
		}
		waiting.Wait()
	})
}

func TestOverdueAttemptCountsOnce(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		overdue := leave(t, a, "john")
		time.Sleep(attemptLife + time.Second)
		wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
		if _, err := a.settle(t.Context(), overdue, false, ""); err != nil {
			t.Fatal(err)
		}
		if n := count(t, a, `SELECT failures FROM account_throttle WHERE bucket = $1`, overdue.person); n != 2 {
			t.Errorf("two failures count %d", n)
		}
	})
}

func TestBucketsAreForgotten(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		for range freePerson + 5 {
			if err := login(t, a, "john", "wrong", here); !errors.Is(err, ErrCredentials) {
				time.Sleep(wantThrottled(t, err).RetryAfter)
			}
		}
		time.Sleep(forgetAfter)
		for range freePerson {
			wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
		}
		time.Sleep(forgetAfter)
		if err := a.purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(t, a, `SELECT count(*) FROM account_throttle`); n != 0 {
			t.Errorf("%d buckets stay after a day without a failure", n)
		}
	})
}

func TestBucketsAreBounded(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		a.maxBuckets = 10
		add(t, a, "john")
		for range freePerson {
			wantError(t, login(t, a, "john", "wrong", netip.Addr{}), ErrCredentials)
		}
		a.settled.Store(purgeEvery - 20)
		for i := range 20 {
			wantError(t, login(t, a, fmt.Sprint("name", i), "wrong", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})), ErrCredentials)
		}
		if n := count(t, a, `SELECT count(*) FROM account_throttle`); n != a.maxBuckets {
			t.Errorf("%d buckets, want %d", n, a.maxBuckets)
		}
		wantThrottled(t, login(t, a, "john", good, netip.Addr{})) // a flood of names does not wash away what counts
	})
}

func TestClockSetBack(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		add(t, a, "john")
		for range freePerson {
			wantError(t, login(t, a, "john", "wrong", here), ErrCredentials)
		}
		if _, err := a.db.Exec(t.Context(), `UPDATE account_throttle SET failed_at = failed_at + 31536000000`); err != nil {
			t.Fatal(err)
		}
		throttled := wantThrottled(t, login(t, a, "john", good, here))
		time.Sleep(throttled.RetryAfter)
		if err := login(t, a, "john", good, here); err != nil {
			t.Errorf("%v: a clock that is set back by a year does not lock a user out for a year", err)
		}
	})
}

func TestChangedMeanwhile(t *testing.T) {
	for change, do := range changes {
		onEach(t, func(t *testing.T, where string) {
			a := open(t, where)
			u := add(t, a, "john")
			derive := a.hasher.derive
			a.hasher.derive = func(password, salt []byte, c cost) []byte {
				a.hasher.derive = derive
				if _, err := do(t.Context(), a, u.ID); err != nil {
					t.Error(err)
				}
				return derive(password, salt, c)
			}
			if err := login(t, a, "john", good, elsewhere); !errors.Is(err, ErrCredentials) {
				t.Errorf("%s while the old password is being checked: %v, want %v", change, err, ErrCredentials)
			}
		})
	}
}

func TestDevicesAreBounded(t *testing.T) {
	inTime(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "john")
		var newest string
		for range maxDevices + 5 {
			var err error
			if newest, err = a.RememberDevice(t.Context(), u.ID, ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		renewed, err := a.RememberDevice(t.Context(), u.ID, newest)
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, a, `SELECT count(*) FROM account_device`); n != maxDevices {
			t.Errorf("%d devices, want %d", n, maxDevices)
		}
		known := func(secret string) int {
			return count(t, a, `SELECT count(*) FROM account_device WHERE digest = $1`, deviceDigest(secret))
		}
		if known(newest) != 0 || known(renewed) != 1 {
			t.Error("a browser has one secret: the new one")
		}
		for i := range maxPlaces + 5 {
			if err := login(t, a, "john", good, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := count(t, a, `SELECT count(*) FROM account_place`); n != maxPlaces {
			t.Errorf("%d places, want %d", n, maxPlaces)
		}
	})
}
