package sqlite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Nodes are kept in two places. The store that a node asks knows exactly what
// it told, in memory, so that a beat writes nothing. Other processes find a row
// in the file that says that the node is there; it is good for a term and is
// written again when half of that is left.

// nodes are those that ask this store.
type nodes struct {
	mu     sync.Mutex
	closed bool // the file says how long they may go on: no longer
	byID   map[store.NodeID]*node
}

// A node is what this store knows of one.
type node struct {
	acked uint64
	until time.Time
	beats uint64 // that have begun
	row   nodeRow
}

// A nodeRow is what the file says of a node, for other processes.
type nodeRow struct {
	bound time.Duration // the longest it ever had
	until time.Time     // zero: there is no row
}

// term is how long a row is good for: long enough that it is seldom written,
// and short enough that nobody waits long for a process that was killed.
func term(bound time.Duration) time.Duration { return max(2*time.Minute, 4*bound) }

// Beat implements [store.Store]. There are no replicas: that the file is where
// it was opened proves that this is the store that takes writes.
//
// The node is put on record before the log is read, in memory and, where its
// row is missing or about to run out, in the file: what is appended after that
// read is appended by somebody who finds it.
func (s *Store) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	if b.Node == (store.NodeID{}) {
		return s.Follow(ctx, b.After, b.Limit)
	}
	if !s.nodes.known(b.Node) {
		// Whoever asks from an unknown place costs no write.
		if _, err := s.Follow(ctx, b.After, 0); err != nil {
			return store.News{}, err
		}
	}
	now := s.clock.Now()
	withdraw, row, err := s.nodes.extend(b.Node, now.Add(store.Longest(b.Bound)))
	if err != nil {
		return store.News{}, err
	}
	if row.bound < b.Bound || row.until.Sub(now) < term(b.Bound)/2 {
		if err := s.writeNode(ctx, b.Node, max(row.bound, b.Bound)); err != nil {
			withdraw()
			return store.News{}, err
		}
	}
	news, err := s.Follow(ctx, b.After, b.Limit)
	if err != nil {
		withdraw()
		return store.News{}, err
	}
	s.nodes.ack(b.Node, min(b.Acked, b.After.Pos))
	return news, nil
}

func (n *nodes) known(id store.NodeID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	one := n.byID[id]
	return one != nil && !one.row.until.IsZero()
}

// extend puts a node on record, and returns how to undo that, and its row. What
// the node was allowed before it still is.
func (n *nodes) extend(id store.NodeID, until time.Time) (withdraw func(), row nodeRow, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, nodeRow{}, errClosed
	}
	one := n.byID[id]
	if one == nil {
		one = &node{}
		n.byID[id] = one
	}
	before := one.until
	if until.After(before) {
		one.until = until
	}
	one.beats++
	mine := one.beats
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if one.beats == mine { // a later beat may have been answered
			one.until = before
		}
	}, one.row, nil
}

func (n *nodes) ack(id store.NodeID, pos uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if one := n.byID[id]; one != nil {
		one.acked = pos
	}
}

// writeNode writes a node's row, for as long as its term.
func (s *Store) writeNode(ctx context.Context, id store.NodeID, bound time.Duration) error {
	row, err := write(ctx, s, func(t *tx) (nodeRow, error) {
		if err := t.removeNodes(s.nodes.over(t.now)); err != nil {
			return nodeRow{}, err
		}
		if err := t.roomForNode(id); err != nil {
			return nodeRow{}, err
		}
		row := nodeRow{bound, t.now.Add(term(bound))}
		_, err := t.exec(`INSERT INTO node (id, bound, until) VALUES (?1, ?2, ?3)
			ON CONFLICT DO UPDATE SET bound = ?2, until = ?3`, id[:], row.bound+time.Millisecond-1, row.until)
		return row, err
	})
	if err == nil {
		s.nodes.written(id, row)
	}
	return err
}

func (n *nodes) written(id store.NodeID, row nodeRow) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if one := n.byID[id]; one != nil {
		one.row = row
	}
}

// over forgets the nodes that may not answer from memory any more, and returns
// them. A transaction that writes calls it, as does whoever writes rows: so no
// row is removed that was written in between.
func (n *nodes) over(now time.Time) []store.NodeID {
	n.mu.Lock()
	defer n.mu.Unlock()
	var over []store.NodeID
	for id, one := range n.byID {
		if !one.until.After(now) {
			over = append(over, id)
			delete(n.byID, id)
		}
	}
	return over
}

// roomForNode returns ErrFull where MaxHolders others have rows. Only where there
// are so many it looks at each row, for those that have run out: otherwise every
// node of a fleet that starts would look at all that are there already.
func (t *tx) roomForNode(id store.NodeID) error {
	rows, err := t.integer(`SELECT count(*) FROM node`) // which SQLite counts without reading them
	if err != nil || rows < store.MaxHolders {
		return err
	}
	if err := t.removeRunOut(); err != nil {
		return err
	}
	others, err := t.integer(`SELECT count(*) FROM node WHERE id <> ?`, id[:])
	if err == nil && others >= store.MaxHolders {
		err = fmt.Errorf("%w: %d nodes follow this store", store.ErrFull, others)
	}
	return err
}

// removeNodes removes the rows of these nodes.
func (t *tx) removeNodes(over []store.NodeID) error {
	for _, id := range over {
		if _, err := t.exec(`DELETE FROM node WHERE id = ?`, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// removeRunOut removes the rows that have run out, of whatever process.
func (t *tx) removeRunOut() error {
	_, err := t.exec(`DELETE FROM node WHERE until <= ?`, t.now)
	return err
}

// leaveNodes says of the nodes of this store how long they may go on without it.
func (s *Store) leaveNodes(t *tx) error {
	if err := t.removeNodes(s.nodes.over(t.now)); err != nil {
		return err
	}
	s.nodes.mu.Lock()
	defer s.nodes.mu.Unlock()
	s.nodes.closed = true
	for id, one := range s.nodes.byID {
		if _, err := t.exec(`UPDATE node SET until = ? WHERE id = ?`, one.until.Add(time.Millisecond-1), id[:]); err != nil {
			return err
		}
	}
	return nil
}

// Holders implements [store.Store]. Of a node that asks another process it is
// known only that it is there: it has acknowledged nothing, and may have asked
// just now.
func (s *Store) Holders(ctx context.Context) (holders []store.Holder, now time.Time, err error) {
	err = s.snapshot(ctx, func(c *conn, read time.Time) error {
		st, err := c.state()
		if err != nil {
			return err
		}
		now = later(read, st.clock)
		ours := s.nodes.holders()
		for _, h := range ours {
			if h.Until.After(now) {
				holders = append(holders, h)
			}
		}
		return c.each(func(r row) {
			var h store.Holder
			fill(h.Node[:], r, 0)
			if _, known := ours[h.Node]; known {
				return
			}
			h.Until = now.Add(store.Longest(durationAt(r, 1)))
			if end := timeAt(r, 2); end.Before(h.Until) {
				h.Until = end
			}
			holders = append(holders, h)
		}, `SELECT id, bound, until FROM node WHERE until > ?`, now)
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return holders, now, nil
}

func (n *nodes) holders() map[store.NodeID]store.Holder {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make(map[store.NodeID]store.Holder, len(n.byID))
	for id, one := range n.byID {
		all[id] = store.Holder{Node: id, Acked: one.acked, Until: one.until}
	}
	return all
}
