package faults

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// probeInterval is how often each process is asked about a session that is
// live, so that seconds of false refusals can be told.
const probeInterval = 25 * time.Millisecond

// A probe asks one process about a live session of its own.
type probe struct {
	w   *workload
	at  int
	rng *rand.Rand

	mu      sync.Mutex
	session *session
	answers []Op
}

func newProbe(w *workload, at int) *probe {
	return &probe{w: w, at: at, rng: rand.New(rand.NewPCG(w.seed, uint64(at)+1<<32))}
}

// run asks until ctx ends. It does not wait for one answer to ask again: a
// process that stands still has many questions to answer when it goes on.
func (p *probe) run(ctx context.Context) {
	var asking sync.WaitGroup
	for ctx.Err() == nil {
		if s := p.current(); s != nil {
			asking.Go(func() { p.ask(s) })
		}
		sleep(ctx, probeInterval)
	}
	asking.Wait()
}

// current returns the session, and makes one where there is none.
func (p *probe) current() *session {
	p.mu.Lock()
	s := p.session
	p.mu.Unlock()
	if s != nil {
		return s
	}
	s = p.w.login(p.rng, "probe")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session = s
	return s
}

func (p *probe) ask(s *session) {
	op := p.w.check(Check, s, p.at)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, op)
	if op.Outcome == No && p.session == s {
		p.session = nil // it was lost with the store
	}
}

// accepted returns when a check was first accepted that began after that time.
func (p *probe) accepted(after time.Duration) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, op := range p.answers {
		if op.Outcome == Yes && op.Call > after {
			return op.Return, true
		}
	}
	return 0, false
}
