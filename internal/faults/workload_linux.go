package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A workload is the clients of a cluster. Each comes at a time of its own, logs
// in, looks around, and most log out again; some stay.
type workload struct {
	h     *History
	c     *Cluster
	terms Terms
	seed  uint64

	next atomic.Int64 // the number of the next session
	work sync.WaitGroup

	mu       sync.Mutex
	sessions []*session
}

// A session as its client knows it.
type session struct {
	number int
	credentials

	ended atomic.Int64 // when a logout had returned success; 0: none has
}

func newWorkload(h *History, c *Cluster, t Terms, seed uint64) *workload {
	return &workload{h: h, c: c, terms: t, seed: seed}
}

// run lets clients come, so many a second, until ctx ends, and waits until all
// have gone.
func (w *workload) run(ctx context.Context, rate int) {
	ticks := time.NewTicker(time.Second / time.Duration(rate))
	defer ticks.Stop()
	for n := uint64(0); ctx.Err() == nil; n++ {
		w.work.Go(func() { w.client(ctx, n) })
		select {
		case <-ticks.C:
		case <-ctx.Done():
		}
	}
	w.work.Wait()
}

// client is the life of one client.
func (w *workload) client(ctx context.Context, n uint64) {
	rng := rand.New(rand.NewPCG(w.seed, n))
	way := w.ways()[rng.IntN(4)]
	sessions := w.logins(rng, fmt.Sprintf("user-%d", n), way)
	for _, s := range sessions {
		for _, at := range rng.Perm(len(w.c.Processes)) { // so that all of them remember it
			w.check(w.kind(rng, s, at), s, at)
		}
		for range rng.IntN(4) {
			pause(ctx, rng, 10, 200)
			at := rng.IntN(len(w.c.Processes))
			w.check(w.kind(rng, s, at), s, at)
		}
		if s.Refresh != "" && rng.IntN(3) == 0 {
			w.refresh(rng, s)
		}
	}
	if len(sessions) == 0 || rng.IntN(10) == 0 {
		return // who stays shows that nobody is refused who should not be
	}
	var watching sync.WaitGroup
	for _, s := range sessions {
		for at := range w.c.Processes {
			rng := rand.New(rand.NewPCG(rng.Uint64(), uint64(at)))
			watching.Go(func() { w.watch(ctx, rng, s, at) })
		}
	}
	pause(ctx, rng, 0, 300)
	w.end(ctx, rng, way, sessions)
	watching.Wait()
	if s := sessions[0]; s.Refresh != "" && rng.IntN(3) == 0 {
		w.refresh(rng, s)
	}
}

// ways are how clients log out, in equal shares. Where the store loses sessions
// nobody's are ended by his name: nothing is left to find them by, and verifiers,
// who hear of logouts and not of losses, take their tokens until they expire.
// The operator's remedy is Manager.EndAll.
func (w *workload) ways() [4]Kind {
	if w.terms.LosesSessions {
		return [...]Kind{Logout, Logout, LogoutEverywhere, LogoutEverywhere}
	}
	return [...]Kind{Logout, Logout, LogoutEverywhere, EndUser}
}

// logins makes the sessions of a user, up to three where all are to be ended at
// once.
func (w *workload) logins(rng *rand.Rand, user string, way Kind) (made []*session) {
	count := 1
	if way == EndUser {
		count += rng.IntN(3)
	}
	for range count {
		if s := w.login(rng, user); s != nil {
			made = append(made, s)
		}
	}
	return made
}

// login makes a session at one of the nodes. Nil: none would.
func (w *workload) login(rng *rand.Rand, user string) *session {
	browser := rng.IntN(2) == 0
	for _, at := range rng.Perm(Nodes) {
		s := &session{number: int(w.next.Add(1))}
		op, credentials := w.c.clients[at].login(w.h, user, browser)
		w.note(op, s, at, Login)
		if op.Outcome == Yes {
			s.credentials = credentials
			s.User = user
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sessions = append(w.sessions, s)
			return s
		}
	}
	return nil
}

func (w *workload) note(op Op, s *session, at int, k Kind) Op {
	op.Session, op.At, op.Kind = s.number, at, k
	w.h.add(op)
	return op
}

// kind is how a process is asked: by any credential that it takes.
func (w *workload) kind(rng *rand.Rand, s *session, at int) Kind {
	if s.Cookie != "" && at < Nodes && rng.IntN(2) == 0 {
		return CheckCookie
	}
	return Check
}

// check asks one process about the session.
func (w *workload) check(k Kind, s *session, at int) Op {
	return w.note(w.c.clients[at].check(w.h, k, s.credentials), s, at, k)
}

// refresh exchanges the session's refresh token at a node.
func (w *workload) refresh(rng *rand.Rand, s *session) {
	at := rng.IntN(Nodes)
	op, credentials := w.c.clients[at].refresh(w.h, s.credentials)
	w.note(op, s, at, Refresh)
	if op.Outcome == Yes {
		s.Access, s.Refresh = credentials.Access, credentials.Refresh
	}
}

// maxTries is how often a client tries to log out.
const maxTries = 20

// end logs out at nodes chosen at random until one says that it is done.
func (w *workload) end(ctx context.Context, rng *rand.Rand, way Kind, sessions []*session) {
	for range maxTries {
		at := rng.IntN(Nodes)
		op := w.c.clients[at].end(w.h, way, sessions[0].credentials)
		for _, s := range sessions {
			w.note(op, s, at, way)
			if op.Outcome == Yes {
				s.ended.Store(int64(op.Return))
			}
		}
		if op.Outcome != Unclear {
			return
		}
		pause(ctx, rng, 20, 100)
	}
}

// maxChecks bounds how long one process is watched.
const maxChecks = 100

// watch asks one process again and again, until it refuses as it must. It does
// not wait for one answer to ask again: what a process that stood still says to
// the questions that came meanwhile is what counts.
func (w *workload) watch(ctx context.Context, rng *rand.Rand, s *session, at int) {
	var refused atomic.Int64
	var asking sync.WaitGroup
	defer asking.Wait()
	for range maxChecks {
		k := w.kind(rng, s, at)
		asking.Go(func() {
			op := w.check(k, s, at)
			ended := time.Duration(s.ended.Load())
			if op.Outcome == No && ended > 0 && op.Call > ended+w.terms.within() {
				refused.Add(1)
			}
		})
		pause(ctx, rng, 20, 200)
		if refused.Load() >= 2 || ctx.Err() != nil {
			return
		}
	}
}

// sweep asks every process about every session.
func (w *workload) sweep() {
	w.mu.Lock()
	sessions := slices.Clone(w.sessions)
	w.mu.Unlock()
	for at := range w.c.Processes {
		w.work.Go(func() {
			rng := rand.New(rand.NewPCG(w.seed, uint64(at)))
			for _, s := range sessions {
				w.check(w.kind(rng, s, at), s, at)
			}
		})
	}
	w.work.Wait()
}

// pause waits for some milliseconds, or until ctx ends.
func pause(ctx context.Context, rng *rand.Rand, least, most int) {
	sleep(ctx, time.Duration(least+rng.IntN(most-least))*time.Millisecond)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
