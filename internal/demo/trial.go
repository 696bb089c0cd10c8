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

	trial := &pages.DemoTrial{Cut: cut}
	for i, n := range d.nodes {
		trial.Lines = append(trial.Lines, pages.DemoLine{
			Node:   n.name,
			After:  refusals[i].at.Sub(loggedOut),
			Status: refusals[i].status,
		})
	}
	d.trial = trial
	return nil
}

// A refusal is the first answer of a node that did not let John in.
type refusal struct {
	at     time.Time // when the request began
	status int
}

// watch asks until the node refuses, or ctx ends.
func (n *node) watch(ctx context.Context, token string) refusal {
	for {
		asked := time.Now()
		status := n.check(ctx, token)
		if status != http.StatusOK {
			return refusal{asked, status}
		}
		time.Sleep(100 * time.Microsecond) // a little air for the others
	}
}
