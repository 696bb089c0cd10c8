package account

import (
	"context"
	"log"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil/internal/servers"
)

func TestMain(m *testing.M) {
	if where := os.Getenv("ACCOUNT_TEST_CRASH"); where != "" {
		log.Fatal(crash(where, os.Getenv("ACCOUNT_TEST_CHANGE")))
	}
	os.Exit(servers.Run(m))
}

// changes are the ways in which a user's sessions come to be ended.
var changes = map[string]func(ctx context.Context, a *Accounts, id string) (Cutoff, error){
	"ChangePassword": func(ctx context.Context, a *Accounts, id string) (Cutoff, error) {
		return a.ChangePassword(ctx, Change{UserID: id, Old: good, New: another, Address: here})
	},
	"SetPassword": func(ctx context.Context, a *Accounts, id string) (Cutoff, error) {
		return a.SetPassword(ctx, id, another)
	},
	"Disable": func(ctx context.Context, a *Accounts, id string) (Cutoff, error) { return a.Disable(ctx, id) },
	"Delete":  func(ctx context.Context, a *Accounts, id string) (Cutoff, error) { return a.Delete(ctx, id) },
}

// crash makes a change and kills the process before anybody ends the sessions.
func crash(where, change string) error {
	ctx := context.Background()
	a, err := openWith(ctx, where, Config{cost: cheap})
	if err != nil {
		return err
	}
	u, err := a.Find(ctx, "john")
	if err != nil {
		return err
	}
	if _, err := changes[change](ctx, a, u.ID); err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	select {} // until the signal is here
}

func TestCutoffSurvivesAKill(t *testing.T) {
	const why = "D9, req 10: the change and the debt are one transaction, so a process that dies in between leaves it to the next"
	for change := range changes {
		t.Run(change, func(t *testing.T) {
			onEach(t, func(t *testing.T, where string) {
				a := open(t, where)
				u := add(t, a, "john")

				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "ACCOUNT_TEST_CRASH="+where, "ACCOUNT_TEST_CHANGE="+change)
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState.ExitCode() != -1 { // killed by a signal
					t.Fatalf("the process was not killed: %v\n%s", err, out)
				}

				pending, err := a.PendingCutoffs(t.Context())
				if err != nil || len(pending) != 1 || pending[0].UserID != u.ID {
					t.Errorf("PendingCutoffs = %v, %v: %s", pending, err, why)
				}
				wantError(t, login(t, a, "john", good, here), ErrCredentials)
			})
		})
	}
}

func TestChangeAndCutoffAreOne(t *testing.T) {
	for change, do := range changes {
		onEach(t, func(t *testing.T, where string) {
			a := open(t, where)
			u := add(t, a, "john")
			if _, err := a.db.Exec(t.Context(), `ALTER TABLE account_cutoff RENAME TO elsewhere`); err != nil {
				t.Fatal(err)
			}
			if c, err := do(t.Context(), a, u.ID); err == nil {
				t.Errorf("%s = %v without the debt on record", change, c)
			}
			if err := login(t, a, "john", good, here); err != nil {
				t.Errorf("%s: %v: where the debt can't be recorded, nothing is changed (D9)", change, err)
			}
		})
	}
}

func TestCutoffDone(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		john, jane := add(t, a, "john"), add(t, a, "jane")
		ctx := t.Context()
		pending := func() []Cutoff {
			t.Helper()
			p, err := a.PendingCutoffs(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		mark := func(id string) Cutoff {
			t.Helper()
			c, err := a.Disable(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		done := func(c Cutoff) {
			t.Helper()
			if err := a.CutoffDone(ctx, c); err != nil {
				t.Fatal(err)
			}
		}

		first, other, newer := mark(john.ID), mark(jane.ID), mark(john.ID)
		if got := pending(); !slices.Equal(got, []Cutoff{other, newer}) {
			t.Errorf("pending = %v, want one a user, with the newest mark: %v", got, []Cutoff{other, newer})
		}
		done(first)
		if got := pending(); !slices.Contains(got, newer) {
			t.Errorf("pending = %v: clearing an older mark must not lose the newer one", got)
		}
		done(newer)
		done(newer) // clearing twice is no error
		if got := pending(); !slices.Equal(got, []Cutoff{other}) {
			t.Errorf("pending = %v, want %v", got, []Cutoff{other})
		}
		done(other)
		if again := mark(john.ID); again.Seq <= newer.Seq {
			t.Errorf("mark %d comes after %d: a mark is never used again, else a late CutoffDone clears it", again.Seq, newer.Seq)
		}
	})
}
