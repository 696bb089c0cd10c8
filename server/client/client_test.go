package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/memory"
	"github.com/counterfoil/counterfoil/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openStore(t *testing.T) store.Store {
	s := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

// openRegistry opens a server's registry, on a database of its own.
func openRegistry(t testing.TB, s store.Store) *client.Registry {
	t.Helper()
	return openNode(t, s, filepath.Join(t.TempDir(), "counterfoil.db"))
}

// openNode opens a server's registry, on a SQLite file or a PostgreSQL URL.
func openNode(t testing.TB, s store.Store, where string) *client.Registry {
	t.Helper()
	open := database.OpenSQLite
	if strings.HasPrefix(where, "postgres://") {
		open = database.OpenPostgres
	}
	db, err := open(where)
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	r, err := client.OpenRegistry(t.Context(), s, db, discard)
	check(t, err)
	return r
}

var (
	discard = slog.New(slog.DiscardHandler)
	verify  = []client.Capability{client.Verify}
)

func TestAddedClientsAreListed(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	if list, err := client.List(ctx, s); err != nil || len(list) != 0 {
		t.Fatalf("at first: %v, %v", list, err)
	}
	shop, secret, err := client.Add(ctx, s, client.Client{Name: "shop", Can: []client.Capability{client.Verify, client.Introspect, client.Verify}})
	check(t, err)
	if !client.IsID(shop.ID) || len(secret) != 43 || shop.Capabilities() != "introspect,verify" {
		t.Errorf("%+v, a secret of %d bytes", shop, len(secret))
	}
	_, other, err := client.Add(ctx, s, client.Client{Name: "proxy", Can: verify})
	check(t, err)
	if other == secret {
		t.Error("two clients have one secret")
	}
	list, err := client.List(ctx, s)
	check(t, err)
	if len(list) != 2 || list[0].Name != "shop" || list[1].Name != "proxy" {
		t.Errorf("%+v", list)
	}
	data, _, err := s.Document(ctx, "clients")
	check(t, err)
	if bytes.Contains(data, []byte(secret)) {
		t.Error("the store has the secret, not its digest")
	}
}

func TestAddRefuses(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	_, _, err := client.Add(ctx, s, client.Client{Name: "shop", Can: verify})
	check(t, err)
	for _, c := range []struct {
		why, name string
		can       []client.Capability
	}{
		{"a name that is taken", "shop", verify},
		{"no name", "", verify},
		{"a name with a space, which no command line keeps together", "two words", verify},
		{"a name that a terminal would obey", "a\x1b[2J", verify},
		{"a name that is no text", "\xff", verify},
		{"a name without an end", strings.Repeat("a", 65), verify},
		{"nothing that it may do", "other", nil},
		{"something that there is not", "other", []client.Capability{"everything"}},
	} {
		if _, secret, err := client.Add(ctx, s, client.Client{Name: c.name, Can: c.can}); err == nil {
			t.Errorf("%s: added, with a secret of %d bytes", c.why, len(secret))
		}
	}
	if list, err := client.List(ctx, s); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// Two operators who change the list at once both succeed.
func TestChangesAtOnce(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	var work sync.WaitGroup
	for n := range 5 {
		work.Go(func() {
			if _, _, err := client.Add(ctx, s, client.Client{Name: fmt.Sprint("client", n), Can: verify}); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if list, err := client.List(ctx, s); err != nil || len(list) != 5 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := openStore(t), t.Context()
		shop, secret, err := client.Add(ctx, s, client.Client{Name: "shop", Can: verify})
		check(t, err)
		_, others, err := client.Add(ctx, s, client.Client{Name: "others", Can: verify})
		check(t, err)
		r := openRegistry(t, s)
		try := func(why, id, secret string, to client.Capability, want error) {
			t.Helper()
			c, err := r.Authenticate(ctx, id, secret, to)
			if !errors.Is(err, want) || (err == nil) != (c.Name == "shop") {
				t.Errorf("%s: %v, %+v", why, err, c)
			}
		}
		try("its own secret", shop.ID, secret, client.Verify, nil)
		try("another's secret", shop.ID, others, client.Verify, client.ErrDenied)
		try("no secret", shop.ID, "", client.Verify, client.ErrDenied)
		try("what it may not do", shop.ID, secret, client.Introspect, client.ErrDenied)
		try("its name is not its id", "shop", secret, client.Verify, client.ErrDenied)
		try("nobody", "", "", client.Verify, client.ErrDenied)

		_, next, err := client.Rotate(ctx, s, "shop")
		check(t, err)
		time.Sleep(5 * time.Second)
		try("the secret from before the rotation, 5 seconds later", shop.ID, secret, client.Verify, client.ErrDenied)
		try("the new one", shop.ID, next, client.Verify, nil)

		check(t, client.Remove(ctx, s, "shop"))
		time.Sleep(5 * time.Second)
		try("a client that was removed, 5 seconds later", shop.ID, next, client.Verify, client.ErrDenied)

		shop, secret, err = client.Add(ctx, s, client.Client{Name: "shop", Can: verify})
		check(t, err)
		time.Sleep(time.Second)
		try("a client that was added a second ago", shop.ID, secret, client.Verify, nil)

		if err := client.Remove(ctx, s, "nobody"); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("remove nobody: %v", err)
		}
		if _, _, err := client.Rotate(ctx, s, "nobody"); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("rotate nobody: %v", err)
		}
	})
}

// counted counts how often the list is read.
type counted struct {
	store.Store
	reads int
}

func (c *counted) Document(ctx context.Context, name string) ([]byte, uint64, error) {
	c.reads++
	return c.Store.Document(ctx, name)
}

// Those who come while the list is read, after a start or a minute in which nobody
// asked, wait for it: that is no reason to refuse anybody.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		added, secret, err := client.Add(t.Context(), s, client.Client{Name: "shop", Can: verify})
		check(t, err)
		slow := storetest.Faulty{Store: s, Fault: func(string) storetest.Fault {
			time.Sleep(100 * time.Millisecond)
			return storetest.Fault{}
		}}
		r := openRegistry(t, slow)
		for range 3 {
			var work sync.WaitGroup
			for range 8 {
				work.Go(func() {
					_, err := r.Authenticate(t.Context(), added.ID, secret, client.Verify)
					if err != nil {
						t.Error(err)
					}
				})
			}
			work.Wait()
			time.Sleep(2 * time.Minute)
		}
	})
}

func TestTheStoreIsNotAskedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Store: openStore(t)}
		shop, secret, err := client.Add(t.Context(), s, client.Client{Name: "shop", Can: verify})
		check(t, err)
		r := openRegistry(t, s)
		s.reads = 0
		for range 1000 { // in 10 seconds
			_, err := r.Authenticate(t.Context(), shop.ID, secret, client.Verify)
			check(t, err)
			time.Sleep(10 * time.Millisecond)
		}
		if s.reads > 3 {
			t.Errorf("%d reads for a client that is known", s.reads)
		}
		s.reads = 0
		for n := range 1000 {
			if _, err := r.Authenticate(t.Context(), fmt.Sprint("c_", n), secret, client.Verify); !errors.Is(err, client.ErrDenied) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if s.reads > 11 {
			t.Errorf("%d reads for ids that were invented", s.reads)
		}
	})
}

// Not being able to tell is another thing than no. What was known goes on for a
// minute.
func TestWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := false
		s := storetest.Faulty{Store: openStore(t), Fault: func(string) storetest.Fault {
			if failing {
				return storetest.Fault{Err: errors.New("the disk is gone")}
			}
			return storetest.Fault{}
		}}
		shop, secret, err := client.Add(t.Context(), s, client.Client{Name: "shop", Can: verify})
		check(t, err)
		r := openRegistry(t, s)
		failing = true
		if _, err := r.Authenticate(t.Context(), shop.ID, secret, client.Verify); err == nil || errors.Is(err, client.ErrDenied) {
			t.Errorf("the list was never read: %v", err)
		}
		failing = false
		time.Sleep(5 * time.Second)
		_, err = r.Authenticate(t.Context(), shop.ID, secret, client.Verify)
		check(t, err)
		failing = true
		time.Sleep(30 * time.Second)
		if _, err := r.Authenticate(t.Context(), shop.ID, secret, client.Verify); err != nil {
			t.Errorf("half a minute later: %v", err)
		}
		time.Sleep(31 * time.Second)
		if _, err := r.Authenticate(t.Context(), shop.ID, secret, client.Verify); err == nil || errors.Is(err, client.ErrDenied) {
			t.Errorf("a minute later: %v", err)
		}
	})
}
