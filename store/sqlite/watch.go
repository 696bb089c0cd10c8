package sqlite

import (
	"context"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
)

// pollInterval is how often a Watch looks for what other processes have written.
const pollInterval = 25 * time.Millisecond

// A poll sees that other processes have written to the file. It has a connection
// of its own from the first Watch on: SQLite tells each connection whether
// others have written.
type poll struct {
	file file
	busy time.Duration

	mu      sync.Mutex
	closed  bool
	conn    *conn
	version int64        // of the data, by which the connection tells
	head    store.Cursor // of the log in that version
}

// look returns the head of the log. It reads it only if the file has changed.
func (p *poll) look() (store.Cursor, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.refresh()
	return p.head, err
}

func (p *poll) refresh() error {
	if p.closed {
		return errClosed
	}
	if p.conn == nil {
		c, err := openConn(p.file, sqlite3.OPEN_READONLY, p.busy)
		if err != nil {
			return failure(err)
		}
		p.conn = c
	}
	version, err := p.conn.integer(`PRAGMA data_version`)
	if err != nil {
		return failure(err)
	}
	if version == p.version {
		return nil
	}
	// What is written between the two is seen now, and again in the next look.
	st, err := p.conn.state()
	if err != nil {
		return failure(err)
	}
	p.version, p.head = version, st.head
	return nil
}

func (p *poll) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.conn == nil {
		return nil
	}
	return p.conn.close()
}

// Watch implements [store.Store]. What this store writes it tells at once; what
// other processes write it sees within 25 ms.
func (s *Store) Watch(ctx context.Context, hint func(store.Hint)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.watchers.Watch(ctx, hint)
}

// Nudge implements [store.Store]. It reaches those who watch by this store.
// Nodes that ask another process are not told; they beat when it is their time,
// and until Holder.Until nobody can know that they did.
func (s *Store) Nudge(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.writer.isClosing() {
		return errClosed
	}
	s.watchers.Send(store.BeatNow)
	return nil
}
