package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"
)

// A Nemesis breaks something, again and again.
type Nemesis struct {
	Name string

	// Links is how all links are while the nemesis is at work.
	Links Link
	// LosesSessions: see Terms.
	LosesSessions bool
	// Flushes: it needs a store that has a command to empty it.
	Flushes bool
	// Short: it belongs to the short run.
	Short bool

	// Strike breaks something, waits, and mends it. It notes what it did. Nil:
	// nothing is broken but the links.
	Strike func(*blow) error
}

// Those that have mutants of their own.
const (
	stopNemesis = "SIGSTOP of a process, slow links, notifications lost"
	cutNemesis  = "partition: connections reset"
)

// Nemeses are all of them.
var Nemeses = []Nemesis{
	{Name: "none"},
	{Name: "SIGSTOP of a process, slow links", Links: Slow, Strike: stopProcess},
	{Name: stopNemesis, Links: Slow | Deaf, Short: true, Strike: stopProcess},
	{Name: "kill -9 of a node", Short: true, Strike: killNode},
	{Name: "kill -9 of the store", Short: true, Strike: killStore},
	{Name: "SIGSTOP of the store", Strike: stopStore},
	{Name: cutNemesis, Short: true, Strike: cutWith(Cut)},
	{Name: "partition: connections hang", Short: true, Strike: cutWith(Held)},
	{Name: "wall clock steps", Strike: stepClock},
	{Name: "notifications lost", Links: Deaf},
	{Name: "restart of a verifier's hub", Strike: restartHub},
	{Name: "FLUSHALL", Flushes: true, LosesSessions: true, Strike: flush},
	{Name: "restore of an older backup", LosesSessions: true, Strike: restore},
}

// Suits reports whether a nemesis can be tried on a database.
func (n Nemesis) Suits(d Database) bool { return !n.Flushes || d.Flush != nil }

// A blow is what a nemesis strikes with.
type blow struct {
	ctx   context.Context
	rng   *rand.Rand
	h     *History
	c     *Cluster
	db    Database
	bound time.Duration
}

// lasts waits for a random time, in bounds.
func (b *blow) lasts(least, most float64) {
	sleep(b.ctx, time.Duration((least+b.rng.Float64()*(most-least))*float64(b.bound)))
}

// during notes a fault that begins now and ends when it is mended.
func (b *blow) during(process int, cut bool, wait, mend func() error) error {
	f := Fault{Process: process, Begin: b.h.now(), Cut: cut}
	err := wait()
	f.End = b.h.now()
	b.h.addFault(f)
	if err != nil {
		return err
	}
	return mend()
}

// stopProcess stops a node, or now and then a verifier, for up to 3Δ.
func stopProcess(b *blow) error {
	at := b.rng.IntN(Nodes)
	if b.rng.IntN(4) == 0 {
		at = b.rng.IntN(len(b.c.Processes))
	}
	p := b.c.Processes[at]
	if err := p.Pause(); err != nil {
		return err
	}
	return b.during(at, false, b.wait(0.2, 3), p.Resume)
}

func (b *blow) wait(least, most float64) func() error {
	return func() error { b.lasts(least, most); return nil }
}

func killNode(b *blow) error {
	at := b.rng.IntN(Nodes)
	p := b.c.Processes[at]
	if err := p.Kill(); err != nil {
		return err
	}
	return b.during(at, false, b.wait(0, 2), p.Start)
}

func restartHub(b *blow) error {
	at := b.rng.IntN(Verifiers) // a verifier's node has its number
	p := b.c.Processes[at]
	if err := p.Stop(); err != nil {
		return err
	}
	return b.during(at, false, b.wait(0, 2), p.Start)
}

func killStore(b *blow) error {
	b.db.Kill()
	return b.during(everybody, true, b.wait(0.5, 4), func() error { b.db.Start(); return nil })
}

func stopStore(b *blow) error {
	b.db.Pause()
	return b.during(everybody, true, b.wait(0.5, 4), func() error { b.db.Resume(); return nil })
}

// cutWith cuts a node off from the store, or a verifier from its node.
func cutWith(l Link) func(*blow) error {
	return func(b *blow) error {
		at := b.rng.IntN(len(b.c.Processes))
		link := b.c.Links[at]
		link.Set(l)
		mend := func() error { link.Set(Open); return nil }
		return b.during(at, true, b.wait(1, 4), mend)
	}
}

// stepClock moves the wall clock of a process by up to an hour, and back.
func stepClock(b *blow) error {
	at := b.rng.IntN(len(b.c.Processes))
	by := time.Duration(b.rng.Int64N(int64(2*time.Hour))) - time.Hour
	step := func(by time.Duration) error {
		op, _ := b.c.clients[at].do(b.h, request{method: "POST", path: "/step?by=" + url.QueryEscape(by.Round(time.Second).String())})
		if op.Outcome != Yes {
			return fmt.Errorf("faults: the wall clock of %s can't be moved", b.c.Processes[at].Name)
		}
		return nil
	}
	if err := step(by); err != nil {
		return err
	}
	return b.during(at, false, b.wait(0.5, 3), func() error { return step(-by) })
}

func flush(b *blow) error {
	b.db.Flush()
	return b.during(everybody, false, b.wait(2, 4), func() error { return nil })
}

// restore brings the store back to where it was a few bounds ago.
func restore(b *blow) error {
	backup := b.db.Backup()
	b.lasts(4, 6)
	return b.during(everybody, false, func() error { b.db.Restore(backup); return nil }, func() error { return nil })
}
