package demo

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/server/pages"
)

// trialTime is how long a node is watched at most, beyond the bound.
const trialTime = 3 * time.Second

// logout logs John out on node A while every node is asked about his token
// again and again, and notes when each began to refuse it.
func (d *demo) logout(r *http.Request, cut bool) error {
	if d.token == "" || d.trial != nil {
		return nil // pressed twice
	}
	ctx, cancel := context.WithTimeout(r.Context(), d.config.Bound+trialTime)
	defer cancel()
	for _, n := range d.nodes {
		n.check(ctx, d.token) // so that each of them has seen the session
	}
	if cut {
		d.nodes[1].link.cut.Store(true)
		defer d.nodes[1].link.cut.Store(false)
	}
	refusals := make([]refusal, len(d.nodes))
	var watching sync.WaitGroup
	for i, n := range d.nodes {
		watching.Go(func() { refusals[i] = n.watch(ctx, d.token) })
	}
	if err := d.nodes[0].logout(ctx, d.token); err != nil {
		cancel()
		watching.Wait()
		return err
	}
	loggedOut := time.Now()
	watching.Wait()
	if cut {
		d.nodes[1].reconnect(ctx, d.token)
	}

	trial := &pages.DemoTrial{Cut: cut}
	for i, n := range d.nodes {
		trial.Lines = append(trial.Lines, pages.DemoLine{
			Node:   n.name,
			After:  refusals[i].after(loggedOut),
			Status: refusals[i].status,
		})
	}
	d.trial = trial
	return nil
}

// A refusal is the first answer of a node that did not let John in.
type refusal struct {
	at       time.Time // when the request began
	accepted time.Time // when the latest one began that was accepted
	status   int
}

// after is for how long John was let in after his logout. It is zero where no
// request was accepted that began after it: that the node had not been asked for
// a moment is no time that it went on for.
func (r refusal) after(logout time.Time) time.Duration {
	if !r.accepted.After(logout) {
		return 0
	}
	return r.at.Sub(logout)
}

// reconnect ends the cut, and waits until the node can judge again, as the page
// will say that it does.
func (n *node) reconnect(ctx context.Context, token string) {
	n.link.cut.Store(false)
	for n.check(ctx, token) == http.StatusServiceUnavailable && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
}

// watch asks until the node refuses, or ctx ends.
func (n *node) watch(ctx context.Context, token string) (r refusal) {
	for {
		r.at = time.Now()
		if r.status = n.check(ctx, token); r.status != http.StatusOK {
			return r
		}
		r.accepted = r.at
		time.Sleep(100 * time.Microsecond) // a little air for the others
	}
}
