package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// loadFile names the file on which the test binary, run once more, makes load
// until it is killed.
const loadFile = "COUNTERFOIL_TEST_LOAD"

func TestMain(m *testing.M) {
	if path := os.Getenv(loadFile); path != "" {
		fmt.Println("failed:", makeLoad(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// makeLoad logs in and out in parallel for ever, and says what was
// acknowledged, a line each.
func makeLoad(path string) error {
	s, err := Open(context.Background(), path, Config{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for client := range 16 {
		go func() {
			for i := 0; ; i++ {
				if err := logInAndOut(s, client, i); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func logInAndOut(s *Store, client, i int) error {
	c := login(client)
	c.Limit = 0
	c.Values = make([]byte, rand.IntN(2000))
	created, err := s.Create(context.Background(), c)
	if err != nil {
		return err
	}
	fmt.Printf("created %v\n", created.ID)
	if i%3 == 0 {
		return nil // stays
	}
	fmt.Printf("ending %v\n", created.ID)
	ended, err := s.End(context.Background(), created.ID, time.Hour)
	if err != nil {
		return err
	}
	fmt.Printf("ended %v %d\n", created.ID, ended.Head.Pos)
	return nil
}

// said is what a process acknowledged before it was killed.
type said struct {
	created, ending map[string]bool
	ended           map[string]uint64 // by the head that End returned
}

// startLoad starts a process that makes load on the file, and returns when it
// does. The function that it returns kills the process and returns what it said.
func startLoad(t *testing.T, path string) (kill func() said) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), loadFile+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := said{map[string]bool{}, map[string]bool{}, map[string]uint64{}}
	begun := make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		begin := sync.OnceFunc(func() { close(begun) })
		defer begin()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			begin()
			words := strings.Fields(lines.Text())
			switch {
			case len(words) == 2 && words[0] == "created":
				heard.created[words[1]] = true
			case len(words) == 2 && words[0] == "ending":
				heard.ending[words[1]] = true
			case len(words) == 3 && words[0] == "ended":
				var pos uint64
				if _, err := fmt.Sscan(words[2], &pos); err != nil {
					t.Error(err)
				}
				heard.ended[words[1]] = pos
			default:
				t.Errorf("the process said %q", lines.Text())
			}
		}
	})
	<-begun
	return func() said {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		listening.Wait()
		cmd.Wait() // it was killed: that is its error
		return heard
	}
}

// check opens the file after the process was killed, and holds it to what the
// process said. It returns the new head.
func (heard said) check(t *testing.T, path string, before store.Cursor) store.Cursor {
	t.Helper()
	s := openAt(t, path, Config{})
	defer s.Close()
	live := map[string]bool{}
	for q := (store.Query{}); ; {
		found, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, session := range found {
			live[session.ID.String()] = true
			q.After = session.ID
		}
		if len(found) < store.MaxBatch {
			break
		}
	}
	head := before
	ended := map[string]uint64{}
	for {
		news, err := s.Follow(t.Context(), head, store.MaxBatch)
		if err != nil {
			t.Fatalf("follow the log from where it was before: %v", err)
		}
		for _, e := range news.Entries {
			if e.Pos != head.Pos+1 {
				t.Fatalf("the log goes from position %d to %d", head.Pos, e.Pos)
			}
			head = e.Cursor
			ended[e.Session.String()] = e.Pos
			if live[e.Session.String()] {
				t.Errorf("session %v is in the log of ended sessions and lives", e.Session)
			}
		}
		if head == news.Head {
			break
		}
	}
	for id := range heard.created {
		if !live[id] && !heard.ending[id] {
			t.Errorf("session %s was acknowledged and is lost", id)
		}
	}
	for id, pos := range heard.ended {
		if live[id] || ended[id] != pos {
			t.Errorf("the end of session %s was acknowledged at position %d: live %v, logged at %d", id, pos, live[id], ended[id])
		}
	}
	return head
}

// What was acknowledged survives kill -9, at whatever moment.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	var head store.Cursor
	created, ended := 0, 0
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		kill := startLoad(t, path)
		time.Sleep(rand.N(100 * time.Millisecond)) // a real process is killed at a real time
		heard := kill()
		head = heard.check(t, path, head)
		created += len(heard.created)
		ended += len(heard.ended)
		if t.Failed() {
			break
		}
	}
	t.Logf("%d logins and %d logouts were acknowledged in %d rounds", created, ended, rounds)
	if created < rounds || ended < rounds {
		t.Error("too few to tell anything")
	}
}

// Several processes on one file make one history: each sees what the other did,
// and the log has no gap.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openAt(t, path, Config{})
	kill := startLoad(t, path)
	seen := map[store.SID]bool{}
	for i := 0; i < 300 || len(seen) < 20; i++ {
		// client-3 is a user of the other process, which sets no limit.
		c := login(3)
		c.Limit = 5
		mustCreate(t, s, c)
		found, err := s.List(t.Context(), store.Query{User: c.Session.User})
		if err != nil {
			t.Fatal(err)
		}
		for _, session := range found {
			seen[session.ID] = true
		}
		if i%10 == 0 {
			generation, err := s.Generation(t.Context(), c.Session.User)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.EndUser(t.Context(), c.Session.User, store.SID{}, time.Hour); err != nil {
				t.Fatal(err)
			}
			c := login(3)
			c.Generation = generation
			if _, err := s.Create(t.Context(), c); !errors.Is(err, store.ErrSuperseded) {
				t.Fatalf("a login that began before: error %v, want %v", err, store.ErrSuperseded)
			}
		}
	}
	heard := kill()
	for id := range heard.ended {
		sid, err := store.ParseSID(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Find(t.Context(), sid); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session that the other process ended: error %v, want %v", err, store.ErrNotFound)
		}
	}
	var at store.Cursor
	for {
		news, err := s.Follow(t.Context(), at, store.MaxBatch)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range news.Entries {
			if e.Pos != at.Pos+1 {
				t.Fatalf("the log goes from position %d to %d", at.Pos, e.Pos)
			}
			at = e.Cursor
		}
		if at == news.Head {
			break
		}
	}
	if len(heard.ended) == 0 || at.Pos < uint64(len(heard.ended)) {
		t.Errorf("the log has %d entries, the other process alone ended %d sessions", at.Pos, len(heard.ended))
	}
}
