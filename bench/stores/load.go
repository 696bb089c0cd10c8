package stores

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/measure"
)

// An operation is what clients do again and again, for as long as a turn lasts.
type operation struct {
	id, title string
	do        func(c *client, ctx context.Context, b backend) error
}

// The operations, in the order in which they follow each other in a round: the
// sessions that the first adds are the ones that the last ends.
var operations = []operation{
	{"insert", "A new session", (*client).insert},
	{"update", "New values", (*client).update},
	{"user", "Whose session it is", (*client).user},
	{"values", "The values", (*client).values},
	{"delete", "The end of a session", (*client).delete},
}

// A client works on sessions of its own.
type client struct {
	number, of int
	made       int
	sessions   []session
	at         int
}

type session struct {
	key
	version uint64
}

// errDone ends a turn before its time: there are no sessions left.
var errDone = errors.New("no session is left")

func (c *client) insert(ctx context.Context, b backend) error {
	id := newKey(c.made*c.of + c.number)
	c.made++
	if err := b.Insert(ctx, id); err != nil {
		return err
	}
	c.sessions = append(c.sessions, session{id, 1})
	return nil
}

func (c *client) next() *session {
	c.at = (c.at + 1) % len(c.sessions)
	return &c.sessions[c.at]
}

func (c *client) update(ctx context.Context, b backend) error {
	s := c.next()
	if err := b.Update(ctx, s.key, s.version, values(s.n, s.version)); err != nil {
		return err
	}
	s.version++
	return nil
}

func (c *client) user(ctx context.Context, b backend) error {
	_, err := b.User(ctx, c.next().key)
	return err
}

func (c *client) values(ctx context.Context, b backend) error {
	_, err := b.Values(ctx, c.next().key)
	return err
}

func (c *client) delete(ctx context.Context, b backend) error {
	if len(c.sessions) == 0 {
		return errDone
	}
	last := c.sessions[len(c.sessions)-1]
	c.sessions = c.sessions[:len(c.sessions)-1]
	return b.Delete(ctx, last.key)
}

// A sample is what one turn has shown.
type sample struct {
	rate   float64 // operations per second
	cpu    float64 // ns of this process per operation
	server float64 // ns of the servers that it has started per operation
}

// turn has clients do an operation for a while.
func turn(ctx context.Context, b backend, clients []*client, op operation, length time.Duration) (sample, error) {
	runtime.GC() // what came before is not this turn's to clear away
	server, err := serversCPU()
	if err != nil {
		return sample{}, err
	}
	counts, errs := make([]int, len(clients)), make([]error, len(clients))
	cpu, began := measure.CPU(), time.Now()
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			for time.Since(began) < length && errs[i] == nil {
				if errs[i] = op.do(c, ctx, b); errs[i] == nil {
					counts[i]++
				}
			}
		})
	}
	wg.Wait()
	took, spent := time.Since(began), measure.CPU()-cpu
	after, err := serversCPU()
	if err != nil {
		return sample{}, err
	}
	total := 0
	for i, err := range errs {
		if err != nil && !errors.Is(err, errDone) {
			return sample{}, fmt.Errorf("%s: %w", op.id, err)
		}
		total += counts[i]
	}
	if total == 0 {
		return sample{}, fmt.Errorf("%s: nothing was done in %v", op.id, length)
	}
	n := float64(total)
	return sample{n / took.Seconds(), float64(spent) / n, float64(after-server) / n}, nil
}
