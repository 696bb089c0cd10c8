// Package pipenet is a network of pipes in memory, for tests: in a bubble of
// testing/synctest nothing else lets time pass.
package pipenet

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// A Network is the listener of its one server. It is safe for concurrent use.
type Network struct {
	connections chan net.Conn
	closed      chan struct{}
	close       func()

	mu   sync.Mutex
	cut  bool
	open []net.Conn
}

// New makes a network.
func New() *Network {
	n := &Network{connections: make(chan net.Conn), closed: make(chan struct{})}
	n.close = sync.OnceFunc(func() { close(n.closed) })
	return n
}

// Accept implements [net.Listener].
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.connections:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (n *Network) Close() error {
	n.close()
	return nil
}

// Addr implements [net.Listener].
func (n *Network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// Dial connects to the server, or waits for ctx where the network is cut.
func (n *Network) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	n.mu.Lock()
	cut := n.cut
	n.open = append(n.open, client, server)
	n.mu.Unlock()
	if cut {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case n.connections <- server:
		return client, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Transport carries requests to any host to the server.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return n.Dial(ctx) },
	}
}

// Cut breaks every connection, and lets no new one be made until Mend. Nobody is
// told that there is no network: connecting takes for ever.
func (n *Network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = true
	for _, c := range n.open {
		c.Close()
	}
	n.open = nil
}

// Mend undoes Cut.
func (n *Network) Mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = false
}
