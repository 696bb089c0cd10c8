package feed

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A link carries requests and answers, and its weather delays, loses, repeats
// and reorders them. What is in flight when the caller gives up still arrives.
type link struct {
	node *simNode // whose process asks

	mu      sync.Mutex
	rng     *rand.Rand
	weather weather
	until   time.Time
	healed  bool
}

// Weather is what happens to a request: how long, at most, it and its answer
// take, and how often they are lost or the request arrives twice.
type weather struct {
	request, answer         time.Duration
	requestLost, answerLost float64
	twice                   float64
	refused                 bool
}

var (
	fair     = weather{request: 4 * time.Millisecond, answer: 4 * time.Millisecond}
	weathers = []weather{
		fair,
		{request: simBound / 2, answer: simBound / 2},
		{request: time.Millisecond, answer: simBound},
		{request: simBound, answer: time.Millisecond},
		{request: time.Millisecond, answer: simBound / 2, answerLost: 0.5},
		{requestLost: 1},
		{requestLost: 1},
		{request: time.Millisecond, answerLost: 1},
		{request: 20 * time.Millisecond, answer: 20 * time.Millisecond, twice: 0.7},
		{refused: true},
	}
	errRefused = errors.New("connection refused")
	errReset   = errors.New("connection reset")
)

// A passage is the fate of one request.
type passage struct {
	request, answer, again, reset time.Duration
	requestLost, answerLost       bool
	refused                       bool
}

func (l *link) passage() passage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.After(l.until) {
		l.weather = weathers[l.rng.IntN(len(weathers))]
		if l.healed {
			l.weather = fair
		}
		l.until = now.Add(simBound/8 + time.Duration(l.rng.Int64N(int64(2*simBound))))
	}
	w := l.weather
	p := passage{
		request:     time.Duration(l.rng.Int64N(int64(w.request) + 1000)),
		answer:      time.Duration(l.rng.Int64N(int64(w.answer) + 1000)),
		reset:       simBound/4 + time.Duration(l.rng.Int64N(int64(2*simBound))),
		requestLost: l.rng.Float64() < w.requestLost,
		answerLost:  l.rng.Float64() < w.answerLost,
		refused:     w.refused,
	}
	if l.rng.Float64() < w.twice {
		p.again = time.Duration(l.rng.Int64N(int64(simBound)))
	}
	return p
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.healed, l.until = true, time.Time{}
}

// call carries a request to f and its answer back. The process that asks may
// stop before it asks and before it reads the answer.
func call[T any](ctx context.Context, l *link, f func() (T, error)) (T, error) {
	l.node.awake()
	type answer struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	p := l.passage()
	if p.refused {
		return none, errRefused
	}
	answers := make(chan answer, 1)
	if !p.requestLost {
		go func() {
			time.Sleep(p.request)
			value, err := f()
			if p.again > 0 {
				time.AfterFunc(p.again, func() { _, _ = f() })
			}
			time.Sleep(p.answer)
			if !p.answerLost {
				answers <- answer{value, err}
			}
		}()
	}
	var reset <-chan time.Time
	if p.requestLost || p.answerLost {
		reset = time.After(p.reset)
	}
	defer l.node.awake()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-reset:
		return none, errReset
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// hint carries one hint, or loses it. It reports whether it arrived.
func (l *link) hint() bool {
	p := l.passage()
	time.Sleep(p.request)
	l.node.awake()
	return !p.refused && !p.requestLost
}

// A remote is the store as a process sees it over its link.
type remote struct {
	store.Store // nil: what feed does not call
	link        *link
	store       *simStore
}

func (r remote) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	return call(ctx, r.link, func() (store.News, error) { return r.store.beat(b) })
}

// Follow may be answered by a replica.
func (r remote) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	lacks := r.link.draw(4)
	return call(ctx, r.link, func() (store.News, error) { return r.store.followReplica(after, limit, lacks) })
}

func (r remote) Snapshot(ctx context.Context) (store.News, error) {
	return call(ctx, r.link, r.store.snapshot)
}

func (r remote) Merge(ctx context.Context, entries []store.Entry) error {
	_, err := call(ctx, r.link, func() (struct{}, error) { return struct{}{}, r.store.merge(entries) })
	return err
}

func (r remote) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	return call(ctx, r.link, func() (store.Ended, error) { return r.store.endSession(id, retain) })
}

func (r remote) Holders(ctx context.Context) ([]store.Holder, time.Time, error) {
	type answer struct {
		holders []store.Holder
		now     time.Time
	}
	a, err := call(ctx, r.link, func() (answer, error) {
		holders, now, err := r.store.holdersNow()
		return answer{holders, now}, err
	})
	return a.holders, a.now, err
}

func (r remote) Nudge(ctx context.Context) error {
	_, err := call(ctx, r.link, func() (struct{}, error) { return struct{}{}, r.store.nudge() })
	return err
}

func (r remote) Watch(ctx context.Context, hint func(store.Hint)) error {
	return r.store.watch(ctx, func(h store.Hint) {
		if r.link.hint() {
			hint(h)
		}
	})
}

// draw draws how much is amiss: nothing, once the link has healed.
func (l *link) draw(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.healed {
		return 0
	}
	return l.rng.IntN(n)
}
