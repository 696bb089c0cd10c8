package sqlite

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// checkpointPages is how long the log gets, in pages of 4 KiB, before it is
// brought into the file.
const checkpointPages = 4096

// A checkpointer brings the log into the file while writes go on. SQLite would
// do it in a commit, which then takes many times as long.
type checkpointer struct {
	conn *conn
	// turn is held by whoever may write to the log: the writer for the time of
	// a group, the checkpointer for the end of its work.
	turn   sync.Mutex
	length atomic.Int64 // of the log, in pages
	due    chan struct{}
	done   sync.WaitGroup
	err    error // of the last checkpoint
}

func startCheckpointer(c *conn) *checkpointer {
	p := &checkpointer{conn: c, due: make(chan struct{}, 1)}
	p.done.Go(func() {
		for range p.due {
			p.err = p.checkpoint()
		}
	})
	return p
}

// logGrew is called after every commit with the length of the log.
func (p *checkpointer) logGrew(_ *sqlite3.Conn, _ string, pages int) error {
	p.length.Store(int64(pages))
	if pages >= checkpointPages {
		select {
		case p.due <- struct{}{}:
		default:
		}
	}
	return nil
}

// shortPass is how many pages are brought into the file while writers wait.
const shortPass = 128

// checkpoint brings the log into the file in several passes. While the first
// ones run, writes go on. For the last, which is short, nothing is written: so
// it reaches the end of the log, and the next write begins it anew. Otherwise
// the log would never end under load.
func (p *checkpointer) checkpoint() error {
	for range 5 { // each is shorter than the one before
		done, err := p.pass()
		if err != nil {
			return err
		}
		if err := p.sync(); err != nil {
			return err
		}
		if p.length.Load()-int64(done) <= shortPass {
			break
		}
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	_, err := p.pass()
	return err
}

// pass returns how many pages of the log are in the file. It does not wait for
// anybody, and blocks nobody.
func (p *checkpointer) pass() (int, error) {
	_, done, err := p.conn.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	if errors.Is(err, sqlite3.BUSY) {
		return int(p.length.Load()), nil // another process is at it
	}
	return done, err
}

// sync brings what a pass wrote to the disk, so that the last one, which ends
// with an fsync, has little left.
func (p *checkpointer) sync() error {
	opened, err := p.conn.FileControl("main", sqlite3.FCNTL_FILE_POINTER)
	if err != nil {
		return err
	}
	return opened.(vfs.File).Sync(vfs.SYNC_NORMAL)
}

// stop ends the checkpointer and returns the last checkpoint's error.
func (p *checkpointer) stop() error {
	close(p.due)
	p.done.Wait()
	if err := p.conn.close(); err != nil {
		return err
	}
	return p.err
}
