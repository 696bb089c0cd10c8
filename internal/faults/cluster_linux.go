package faults

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// A Cluster is three nodes on one store and two verifiers, each of which
// follows a node of its own. Every process has a link of its own.
type Cluster struct {
	Processes []*Process // the nodes, then the verifiers
	Links     []*Proxy   // of each process: a node's to the store, a verifier's to its node

	clients []*client
}

// A Setting says what a cluster is made of.
type Setting struct {
	Program string        // of package node
	Store   string        // the store's URL
	Bound   time.Duration // Δ
	Dir     string        // where the processes log
}

// NewCluster starts a cluster.
func NewCluster(s Setting) (*Cluster, error) {
	c := &Cluster{}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails since Go 1.24
	env := []string{"FAULTS_SECRET=" + hex.EncodeToString(secret)}
	for i := range Nodes + Verifiers {
		p := &Process{Name: fmt.Sprintf("node %d", i), program: s.Program, env: env, log: filepath.Join(s.Dir, fmt.Sprintf("%d.log", i))}
		if i >= Nodes {
			p.Name = fmt.Sprintf("verifier %d", i-Nodes)
		}
		args, link, err := c.arguments(i, s)
		if err == nil {
			c.Links = append(c.Links, link)
			p.args = append(args, "-bound", s.Bound.String())
			err = p.Start()
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.Processes = append(c.Processes, p)
		c.clients = append(c.clients, newClient(p))
	}
	return c, nil
}

// arguments are those of a process, and the link that they lead through.
func (c *Cluster) arguments(i int, s Setting) ([]string, *Proxy, error) {
	if i >= Nodes {
		link, err := NewProxy(c.Processes[i-Nodes].address)
		if err != nil {
			return nil, nil, err
		}
		return []string{"verify", "-via", link.Address()}, link, nil
	}
	u, err := url.Parse(s.Store)
	if err != nil {
		return nil, nil, err
	}
	link, err := NewProxy(u.Host)
	if err != nil {
		return nil, nil, err
	}
	u.Host = link.Address()
	return []string{"serve", "-store", u.String()}, link, nil
}

// Close ends everything.
func (c *Cluster) Close() error {
	var errs []error
	for _, client := range c.clients {
		client.http.CloseIdleConnections()
	}
	for _, p := range c.Processes {
		errs = append(errs, p.Stop())
	}
	for _, l := range c.Links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
