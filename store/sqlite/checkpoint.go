package sqlite

import (
	"sync"

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
	turn sync.Mutex
	due  chan struct{}
	done sync.WaitGroup
	err  error // of the last checkpoint
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
	if pages >= checkpointPages {
		select {
		case p.due <- struct{}{}:
		default:
		}
	}
	return nil
}

// checkpoint brings the log into the file in two passes. The first is long, and
// writes go on meanwhile. The second is short, because little came after, and
// nothing is written meanwhile: so it reaches the end of the log, and the next
// write begins it anew. Otherwise the log would never end under load.
func (p *checkpointer) checkpoint() error {
	if err := p.pass(); err != nil {
		return err
	}
	if err := p.sync(); err != nil {
		return err
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.pass()
}

// pass does not wait for anybody, and blocks nobody.
func (p *checkpointer) pass() error {
	_, _, err := p.conn.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	return err
}

// sync brings what the first pass wrote to the disk, so that the second, which
// ends with an fsync, has little left.
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
