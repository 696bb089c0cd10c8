package counterfoil

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
)

// A Manager keeps the sessions of one site. Make it with [New]; its methods are
// safe for concurrent use.
type Manager struct {
	config     Config
	store      store.Store
	clock      store.Clock // never decreases: what has expired stays so
	cookieName string
	origins    map[string]bool // where posts may come from; without a PublicURL from the request's own host, too

	keys     keys
	verifier atomic.Pointer[token.Verifier] // of tokens that are meant for us
	examiner atomic.Pointer[token.Verifier] // of those for others as well

	// What is known of sessions without asking the store: see recall.go.
	asks      bool // at every check
	view      *feed.View
	follower  *feed.Follower
	hub       *feed.Hub
	feeding   sync.Once // starts the hub
	following sync.Once
	seen      *seen
	canary    atomic.Int64 // the latest measure, in nanoseconds

	touches  touches
	watchers watchers

	places   places   // of this manager's status list
	statuses statuses // in everybody's: see status.go

	background context.Context // ends with Close
	stop       context.CancelFunc
	work       sync.WaitGroup
}

// New makes a manager and starts its background work, which [Manager.Close]
// ends. It asks the store for the signing keys and, the first time, makes them.
//
// Errors: a Config that can't work, a store that can't be reached, signing keys
// that Config.Secret does not open.
func New(c Config) (*Manager, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Manager{config: c, store: c.Store, cookieName: SecureCookieName, origins: map[string]bool{}}
	if c.OnStore != nil {
		m.store = tracedStore{c.Store, c.OnStore}
	}
	if c.PublicURL != "" {
		m.origins[c.PublicURL] = true // withDefaults has given it an origin's spelling
		if strings.HasPrefix(c.PublicURL, "http:") {
			m.cookieName = LoopbackCookieName
		}
	}
	if c.CookieDomain != "" {
		m.cookieName = SharedCookieName // checked: there is https
	}
	for _, origin := range c.Origins {
		m.origins[origin] = true
	}
	m.places = newPlaces()
	m.touches.wake = make(chan struct{}, 1)
	m.watchers.wake = make(chan struct{}, 1)
	m.background, m.stop = context.WithCancel(context.Background())
	if err := m.open(); err != nil {
		m.stop()
		return nil, err
	}
	m.startWork(m.background)
	return m, nil
}

const openTimeout = 10 * time.Second

func (m *Manager) open() error {
	ctx, cancel := context.WithTimeout(m.background, openTimeout)
	defer cancel()
	if err := m.openView(ctx); err != nil {
		return fmt.Errorf("counterfoil: store: %w", err)
	}
	return m.openKeys(ctx)
}

// Close saves what was not yet written, cancels the contexts of UntilEnd, and
// ends the background work. It does not close Config.Store. Requests that come
// later are judged as before, but their last-seen times may be lost.
func (m *Manager) Close() error {
	m.stop()
	m.work.Wait()
	m.watchers.close()
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	return m.flushTouches(ctx)
}

const flushTimeout = 5 * time.Second

var errClosed = errors.New("counterfoil: the manager is closed")

// startWork starts the goroutines that the manager owns.
func (m *Manager) startWork(ctx context.Context) {
	m.every(ctx, purgeInterval, func() { m.reportIf(ctx, "expired sessions could not be removed", m.purge(ctx)) })
	m.every(ctx, keysInterval, func() { m.reportIf(ctx, "the signing keys could not be looked after", m.tendKeys(ctx)) })
	m.whenWoken(ctx, m.touches.wake, m.touchInterval(), func() bool {
		// What is under way is written even while Close waits.
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := m.flushTouches(flush); err != nil {
			m.report(ctx, "last-seen times could not be saved", err)
		}
		return false
	})
	m.work.Go(func() { m.checkWatchers(ctx) })
	if !m.asks || m.config.StatusLists {
		m.follow()
	}
	if m.config.Canary > 0 {
		m.follow()
		m.every(ctx, m.config.Canary, func() { m.reportIf(ctx, "the canary's logout could not be measured", m.measureCanary(ctx)) })
	}
}

// every calls do at that interval, until ctx ends.
func (m *Manager) every(ctx context.Context, d time.Duration, do func()) {
	m.work.Go(func() {
		for pause(ctx, d) == nil {
			do()
		}
	})
}

// whenWoken calls do a while after each wake, and again at that interval as
// long as it returns true, until ctx ends. It costs nothing where nobody wakes
// it.
func (m *Manager) whenWoken(ctx context.Context, wake <-chan struct{}, d time.Duration, do func() bool) {
	m.work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-wake:
			}
			for again := true; again; again = do() {
				if pause(ctx, d) != nil {
					return
				}
			}
		}
	})
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rouse wakes a goroutine of whenWoken.
func rouse(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

const (
	purgeInterval = time.Minute
	purgeBatch    = 256 // rows that one lock of the store covers
)

// purge removes what has expired, in batches with a pause between, so that
// requests get in.
func (m *Manager) purge(ctx context.Context) error {
	for {
		n, err := m.store.Purge(ctx, purgeBatch)
		if err != nil || n == 0 {
			return err
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// find asks the store for a live session. It returns ErrEnded or ErrUnavailable
// where there is none. Whoever lets somebody in calls recall.
func (m *Manager) find(ctx context.Context, id store.SID) (*Session, error) {
	record, err := m.store.Find(ctx, id)
	if err != nil {
		return nil, fromStore(err)
	}
	return newSession(&record), nil
}

func (m *Manager) create(ctx context.Context, c store.Creation) (store.Session, error) {
	c.Retain = m.retain()
	record, err := m.store.Create(ctx, c)
	return record, fromStore(err)
}

// retain is how long the log must remember an ended session: as long as a token
// of it could be taken for good.
func (m *Manager) retain() time.Duration { return m.config.TokenLife + retainMargin }

// refuse answers a request that is not let in. It answers even one whose client
// seems to be gone: a request without an answer would end as a 200.
func (m *Manager) refuse(w http.ResponseWriter, r *http.Request, err error) {
	m.noteRefusal(r, err)
	m.config.ErrorHandler(w, r, err)
}

// noteRefusal tells the log, and OnEvent, why a request is not let in.
func (m *Manager) noteRefusal(r *http.Request, err error) {
	switch {
	case isHangUp(r.Context(), err): // nothing is wrong with the store
	case errors.Is(err, ErrUnavailable):
		m.report(r.Context(), "a request was refused because the store did not answer", err)
	default:
		m.emit(r.Context(), Event{Kind: RequestRefused, Address: m.config.ClientAddress(r), Err: err})
	}
}
