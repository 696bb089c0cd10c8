package sqlite

import (
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// "A session may still be seen live after that time": the end of everybody's
// sessions is stamped, its process is stopped for a while, and others go on, by
// memory too. What then tells who was ended is when sessions were created.
func TestEndAllIsCommittedLate(t *testing.T) {
	ours, theirs := twoProcesses(t)
	node := store.NewNodeID()
	beat(t, theirs, node, bound)
	before, err := ours.Create(t.Context(), login(1))
	if err != nil {
		t.Fatal(err)
	}

	const pause = 50 * time.Second
	stamped, stopped, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	resume := sync.OnceFunc(func() { close(stopped) })
	t.Cleanup(resume)
	go func() {
		_, err := write(t.Context(), ours, func(tx *tx) (struct{}, error) {
			err := tx.endAll(tx.now.Add(time.Hour))
			close(stamped)
			<-stopped
			return struct{}{}, err
		})
		ended <- err
	}()
	<-stamped
	theirs.clock.Advance(time.Now().Add(pause))
	seen, err := theirs.Find(t.Context(), before.ID)
	if err != nil {
		t.Errorf("before the commit: %v", err)
	}
	beat(t, theirs, node, bound)
	resume()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	if _, err := theirs.Find(t.Context(), before.ID); err == nil {
		t.Error("it is live after the commit")
	}
	after, err := theirs.Create(t.Context(), login(2))
	if err != nil {
		t.Fatal(err)
	}
	news, err := theirs.Snapshot(t.Context())
	if err != nil || len(news.Entries) != 1 {
		t.Fatalf("the log is %+v, %v", news.Entries, err)
	}
	cut := news.Entries[0].Session.Time()
	if !seen.AsOf.After(cut.Add(pause-time.Second)) || before.Created.After(cut) || after.Created.Before(cut) {
		t.Errorf("cut at %v; a session before was created at %v and seen at %v, one after at %v", cut, before.Created, seen.AsOf, after.Created)
	}
}
