// Package sqlite keeps sessions in one file, with SQLite in pure Go. It is the
// default store, for one machine.
//
//	sessions, err := sqlite.Open(ctx, "counterfoil.db", sqlite.Config{})
//	…
//	defer sessions.Close()
//	manager, err := counterfoil.New(counterfoil.Config{Store: sessions})
//
// It is durable: what was acknowledged survives the end of the process, and the
// loss of power if the disk honours fsync. What it can't survive is the loss of
// the file, and a restore from an older copy brings the sessions of that time
// back, those that were ended since too: call EndAll after one.
//
// Writes that come at the same time are committed together, so that many share
// one fsync. Reads never wait for writes.
//
// Several processes of one machine may have the file open at the same time.
// The file must not lie on a network file system. While it is open, and after a
// crash, two more files stand beside it, with -wal and -shm at the end of
// their names; they belong to it, and are part of any copy. The file does not
// shrink: room that sessions leave is used again.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/internal/hints"
)

// A Config tunes a [Store]. The zero Config works.
type Config struct {
	// Readers is how many reads may be under way at once; more wait. Each takes
	// a connection with up to 16 MiB of cache. Zero: GOMAXPROCS, but at least 4.
	Readers int

	// BusyTimeout is how long to wait for another process that holds the
	// write lock. Zero: 5 seconds.
	BusyTimeout time.Duration

	// MaxBytes bounds the file: when it is reached, Create, SaveValues and
	// SwapDocument return store.ErrFull, while sessions can still be ended and
	// purged. Zero: the disk is the bound.
	MaxBytes int64
}

// A Store keeps sessions in a file. It is safe for concurrent use and
// implements [store.Store].
type Store struct {
	clock    store.Clock
	writer   *writer
	readers  *pool
	nodes    nodes
	watchers hints.Watchers
	poll     poll

	close    sync.Once
	closeErr error
}

var _ store.Store = (*Store)(nil)

var errClosed = errors.New("sqlite: the store is closed")

// Open opens the file, or makes it, readable by its owner only. It brings a
// file that an older version wrote up to date, and refuses one that a newer
// version, or another program, wrote. A context that ends interrupts it.
//
// The caller closes the store when nothing uses it any more.
func Open(ctx context.Context, path string, config Config) (*Store, error) {
	s, err := open(ctx, path, config)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // and not that it was interrupted, or is still locked
		}
		return nil, fmt.Errorf("sqlite: open %s: %w", path, explain(err))
	}
	return s, nil
}

func open(ctx context.Context, path string, config Config) (_ *Store, err error) {
	config.Readers = cmp.Or(config.Readers, max(4, runtime.GOMAXPROCS(0)))
	config.BusyTimeout = cmp.Or(config.BusyTimeout, 5*time.Second)

	f, err := prepare(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		readers: newPool(config.Readers),
		nodes:   nodes{byID: map[store.NodeID]*node{}},
		poll:    poll{file: f, busy: config.BusyTimeout},
	}
	s.watchers.Poll, s.watchers.Interval = s.poll.look, pollInterval
	var opened []*conn
	defer func() {
		if err != nil {
			for _, c := range opened {
				err = errors.Join(err, c.close())
			}
		}
	}()
	connect := func(flags sqlite3.OpenFlag) (*conn, error) {
		c, err := openConn(f, flags, config.BusyTimeout)
		if err == nil {
			opened = append(opened, c)
		}
		return c, err
	}

	first, err := connect(sqlite3.OPEN_READWRITE)
	if err != nil {
		return nil, err
	}
	first.SetInterrupt(ctx)
	written, err := setUpInTurn(ctx, first, f, migrations, config.BusyTimeout)
	if err != nil {
		return nil, err
	}
	s.clock.Advance(written.clock)
	first.SetInterrupt(context.Background())

	checkpoints, err := connect(sqlite3.OPEN_READWRITE)
	if err != nil {
		return nil, err
	}
	for range config.Readers {
		reader, err := connect(sqlite3.OPEN_READONLY)
		if err != nil {
			return nil, err
		}
		s.readers.put(reader)
	}
	s.writer = startWriter(s, first, checkpoints, config.MaxBytes)
	return s, nil
}

// setUpInTurn is setUp where others do the same at this moment: SQLite does not
// wait where two connections that read want to write, or to change the journal's
// mode. What one of them has done the next finds done.
func setUpInTurn(ctx context.Context, c *conn, f file, migrations []string, busy time.Duration) (state, error) {
	for begun := time.Now(); ; {
		written, err := setUp(c, f, migrations)
		if !errors.Is(err, sqlite3.BUSY) || time.Since(begun) > busy {
			return written, err
		}
		select {
		case <-time.After(time.Millisecond + rand.N(10*time.Millisecond)):
		case <-ctx.Done():
			return state{}, errors.Join(ctx.Err(), err)
		}
	}
}

// setUp makes an open file fit for use, or says why it can't.
func setUp(c *conn, f file, migrations []string) (state, error) {
	if err := checkOwner(c); err != nil {
		return state{}, err
	}
	if err := migrate(c, migrations); err != nil {
		return state{}, err
	}
	// Only now: until the log is there a new file is written in a way that
	// brings the header, which says whose it is, into the file at once.
	if err := c.Exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0`); err != nil {
		return state{}, err
	}
	written, err := c.state()
	if err != nil {
		return state{}, err
	}
	return written, f.protectIndex()
}

// InProcess implements [store.Store].
func (s *Store) InProcess() bool { return false }

// Close waits for the writes under way, brings the log into the file, and
// closes it. Methods that are called later return an error.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.watchers.Close(errClosed)
		// The readers first: the connection that is closed last tidies up, and
		// it must be one that may write.
		s.closeErr = errors.Join(s.writer.stop(), s.readers.close(), s.poll.close(), s.writer.conn.close())
		if s.closeErr != nil {
			s.closeErr = fmt.Errorf("sqlite: close: %w", s.closeErr)
		}
	})
	return s.closeErr
}
