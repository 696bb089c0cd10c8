package faults

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Link says what a [Proxy] does with what comes along: nothing but to pass it
// on, or any of these together.
type Link int

const (
	Open Link = 0
	Slow Link = 1 << iota // passes on a while later
	Deaf                  // loses hints, and tells nobody
	Held                  // keeps everything until the link is another: as a network that loses packets, and TCP that sends them again
	Cut                   // resets connections, and new ones
)

// delay is how long a slow link takes, each way: so long that a stopped node often
// waits for an answer, and short enough that it connects anew within a bound.
const delay = 20 * time.Millisecond

// A Proxy carries TCP connections to one address, as its link allows. It is safe
// for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	link    Link
	changed chan struct{} // closed at the next change
	closed  bool
	conns   map[*net.TCPConn]struct{} // both sides of each connection
}

// NewProxy listens on a port of loopback.
func NewProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: listener, changed: make(chan struct{}), conns: map[*net.TCPConn]struct{}{}}
	p.work.Go(p.accept)
	return p, nil
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Set changes the link. What Cut resets is reset when it returns.
func (p *Proxy) Set(l Link) { p.change(func() { p.link = l }) }

// Close ends all connections.
func (p *Proxy) Close() error {
	p.change(func() { p.closed = true })
	err := p.listener.Close()
	p.work.Wait()
	return err
}

func (p *Proxy) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.changed)
	p.changed = make(chan struct{})
	if p.broken() {
		for c := range p.conns {
			reset(c)
		}
	}
}

// broken is called with p.mu held.
func (p *Proxy) broken() bool { return p.closed || p.link&Cut != 0 }

// reset closes a connection in such a way that the other end gets an error.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // where it fails the connection is closed already
	_ = c.Close()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.carry(c.(*net.TCPConn)) })
	}
}

// carry connects a client to the target.
func (p *Proxy) carry(client *net.TCPConn) {
	defer p.keep(client)()
	if _, ok := p.pass(); !ok {
		reset(client)
		return
	}
	c, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		reset(client)
		return
	}
	server := c.(*net.TCPConn)
	defer p.keep(server)()
	var listens atomic.Bool
	var both sync.WaitGroup
	both.Go(func() {
		p.copy(server, client, func(b []byte) { listens.Store(listens.Load() || asksForHints(b)) }, nil)
	})
	both.Go(func() { p.copy(client, server, nil, &listens) })
	both.Wait()
}

// keep has a connection reset when the link breaks, until done closes it.
func (p *Proxy) keep(c *net.TCPConn) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	if p.broken() {
		reset(c)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		_ = c.Close() // it may have been closed by a reset
	}
}

// pass waits until something may be passed on. False: it is not to be.
func (p *Proxy) pass() (l Link, ok bool) {
	for {
		p.mu.Lock()
		l, broken, changed := p.link, p.broken(), p.changed
		p.mu.Unlock()
		if broken || l&Held == 0 {
			return l, !broken
		}
		<-changed
	}
}

// A piece is something to be passed on, not before that time.
type piece struct {
	bytes []byte
	due   time.Time
}

// copy passes on what comes in one direction, until it ends. Hints, where it is
// the direction of hints, are lost on a deaf link.
func (p *Proxy) copy(to, from *net.TCPConn, seen func([]byte), hints *atomic.Bool) {
	pieces := make(chan piece, 256) // a slow link delays each, and yet carries many
	p.work.Go(func() {
		defer close(pieces)
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				if seen != nil {
					seen(buffer[:n])
				}
				pieces <- p.piece(buffer[:n])
			}
			if err != nil {
				return // of whatever kind: the other side is told that it ended
			}
		}
	})
	for piece := range pieces {
		time.Sleep(time.Until(piece.due))
		l, ok := p.pass()
		if l&Deaf != 0 && hints != nil && hints.Load() {
			continue
		}
		if !ok {
			reset(to)
		} else if _, err := to.Write(piece.bytes); err != nil {
			reset(from) // so that the loop ends
		}
	}
	_ = to.CloseWrite() // it may have been reset
}

func (p *Proxy) piece(b []byte) piece {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := time.Now()
	if p.link&Slow != 0 {
		due = due.Add(delay)
	}
	return piece{bytes.Clone(b), due}
}

// asksForHints reports whether a client begins to listen: both databases have a
// connection of its own for that.
func asksForHints(b []byte) bool {
	b = bytes.ToUpper(b)
	return bytes.Contains(b, []byte("LISTEN ")) || bytes.Contains(b, []byte("SUBSCRIBE"))
}
