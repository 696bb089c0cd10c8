package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/counterfoil/counterfoil/store"
)

// What bounds the statements that look sessions up.
const (
	lookupsAtOnce = 2   // statements; the reads that come meanwhile share the next one
	maxSessions   = 256 // in one of them
	maxValues     = 32  // in one of them: each may be store.MaxValues long
)

// A lookup reads something of live sessions by their ids. Reads that wait at the
// same time are made by one statement, which costs little more than for one of
// them. No read is answered by a statement that was sent before it came.
type lookup[T any] struct {
	store *Store
	sql   string
	scan  func(pgx.Row, ...any) (T, error) // a row of the columns, and what stands behind them
	most  int                              // sessions in a statement

	mu      sync.Mutex
	waiting []*asked[T]
	running int // goroutines that send statements
}

// asked is a read that waits for its answer.
type asked[T any] struct {
	id    store.SID
	found found[T]
	err   error
	done  chan struct{}
}

// found is what was read of a live session, and the store's time then.
type found[T any] struct {
	what T
	at   time.Time
}

func newLookup[T any](s *Store, columns, from string, scan func(pgx.Row, ...any) (T, error), most int) *lookup[T] {
	return &lookup[T]{store: s, scan: scan, most: most, sql: s.schema.sql(`SELECT ` + columns + `,
			session.sid, session.epoch, session.expires, epoch.epoch, head.clock, statement_timestamp()
		FROM cf.head, cf.epoch, cf.session ` + from + `
		WHERE head.one AND epoch.one AND session.sid = ANY ($1::uuid[])`)}
}

// find returns what is read of the session, if that is live.
func (l *lookup[T]) find(ctx context.Context, id store.SID) (found[T], error) {
	if err := l.store.begin(ctx); err != nil {
		return found[T]{}, err
	}
	defer l.store.closed.Done()
	a := &asked[T]{id: id, done: make(chan struct{})}
	l.ask(a)
	select {
	case <-a.done:
		return a.found, l.store.explain(ctx, a.err)
	case <-ctx.Done():
		return found[T]{}, ctx.Err()
	}
}

func (l *lookup[T]) ask(a *asked[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, a)
	if l.running < lookupsAtOnce {
		l.running++
		l.store.closed.Go(l.run)
	}
}

// run sends statements for as long as somebody waits.
func (l *lookup[T]) run() {
	for {
		group := l.take()
		if group == nil {
			return
		}
		all, err := l.read(group)
		for _, a := range group {
			var ok bool
			if a.found, ok = all[a.id]; !ok {
				a.err = store.ErrNotFound
			}
			if err != nil {
				a.err = err
			}
			close(a.done)
		}
	}
}

func (l *lookup[T]) take() []*asked[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running--
		return nil
	}
	n := min(len(l.waiting), l.most)
	group := l.waiting[:n:n]
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil // else it would keep the answers in memory
	}
	return group
}

// read reads those of the sessions that are live.
func (l *lookup[T]) read(group []*asked[T]) (all map[store.SID]found[T], err error) {
	ids := columnOf(group, func(a *asked[T]) pgtype.UUID { return uuid(a.id) })
	floor := l.store.clock.Floor()
	err = l.store.readTwice(context.Background(), l.store.timeout, func(b *pgx.Batch) {
		all = map[store.SID]found[T]{}
		each(b.Queue(l.sql, ids), func(rows pgx.Rows) error {
			var id store.SID
			var epoch, expires, current, clock int64
			var at time.Time
			what, err := l.scan(rows, (*[16]byte)(&id), &epoch, &expires, &current, &clock, &at)
			if now := max(at.UnixMilli(), clock, floor); err == nil && epoch == current && expires > now {
				all[id] = found[T]{what, fromMillis(now)}
				l.store.clock.saw(all[id].at)
			}
			return err
		})
	})
	return all, err
}
