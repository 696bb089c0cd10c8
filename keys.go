package counterfoil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
)

// The signing keys are one document in the store, sealed by Config.Secret, and
// every node reads it again from time to time. A new key is published before it
// signs, for longer than that takes, and an old one is kept until the last
// token that it signed has expired.

const (
	keysDocument    = "keys"
	issuersDocument = "issuers"

	keysInterval = 20 * time.Second
	maxIssuers   = 16
)

type keys struct {
	mu      sync.Mutex // held while the keyring changes
	ring    atomic.Pointer[token.Keyring]
	version uint64 // of the document; 0: the keys are not in the store
}

// issuer names us in tokens.
func (m *Manager) issuer() string {
	if m.config.PublicURL == "" {
		return "counterfoil"
	}
	return m.config.PublicURL
}

func (m *Manager) openKeys(ctx context.Context) error {
	if err := m.openKeyring(ctx); err != nil {
		return fmt.Errorf("counterfoil: signing keys: %w", err)
	}
	if err := m.openVerifier(ctx); err != nil {
		return fmt.Errorf("counterfoil: issuer: %w", err)
	}
	if newestKey(m.Keys()).Algorithm == m.config.TokenAlgorithm {
		return nil
	}
	// The configuration has changed: a key of the new kind takes over.
	if err := m.RotateKeys(ctx); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("counterfoil: signing keys: %w", err)
	}
	return nil
}

func newestKey(keys []token.KeyInfo) token.KeyInfo { return keys[len(keys)-1] }

// readClock puts our clock forward to the store's, which remembers the time from
// before a restart. Without it, tokens would seem to come from the future after
// the machine's clock was set back.
func (m *Manager) readClock(ctx context.Context) error {
	news, err := m.store.Follow(ctx, store.Cursor{}, 1)
	if errors.Is(err, store.ErrUnknownCursor) { // the log's beginning is pruned
		news, err = m.store.Snapshot(ctx)
	}
	if err != nil {
		return err
	}
	m.clock.Advance(news.Now)
	return nil
}

// openKeyring reads the keys, or makes them. Where several nodes start at once,
// one of them does.
func (m *Manager) openKeyring(ctx context.Context) error {
	if m.config.Secret == nil {
		ring, err := token.NewKeyring(m.config.TokenAlgorithm, m.now())
		if err == nil {
			m.useKeys(ring, 0)
		}
		return err
	}
	err := m.readKeys(ctx)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	ring, err := token.NewKeyring(m.config.TokenAlgorithm, m.now())
	if err != nil {
		return err
	}
	err = m.writeKeys(ctx, ring, 0)
	if errors.Is(err, store.ErrConflict) {
		return m.readKeys(ctx) // another node was faster
	}
	return err
}

// readKeys takes over what is in the store. Without a secret the keys are not
// there.
func (m *Manager) readKeys(ctx context.Context) error {
	if m.config.Secret == nil {
		return nil
	}
	data, version, err := m.store.Document(ctx, keysDocument)
	if err != nil {
		return err
	}
	if m.keys.version == version {
		return nil
	}
	ring, err := token.OpenKeyring(data, m.config.Secret)
	if err != nil {
		return err
	}
	m.useKeys(ring, version)
	return nil
}

func (m *Manager) writeKeys(ctx context.Context, ring *token.Keyring, version uint64) error {
	data, err := ring.Seal(m.config.Secret)
	if err != nil {
		return err
	}
	if err := m.store.SwapDocument(ctx, keysDocument, version, data); err != nil {
		return err
	}
	m.useKeys(ring, version+1)
	return nil
}

func (m *Manager) useKeys(ring *token.Keyring, version uint64) {
	m.keys.version = version
	m.keys.ring.Store(ring)
	for _, verifier := range []*token.Verifier{m.verifier.Load(), m.examiner.Load()} {
		if verifier != nil {
			verifier.SetKeyring(ring)
		}
	}
}

// tendKeys follows what other nodes did to the keys, and rotates them in time.
func (m *Manager) tendKeys(ctx context.Context) error {
	m.keys.mu.Lock()
	defer m.keys.mu.Unlock()
	if err := m.readKeys(ctx); err != nil {
		return err
	}
	if m.now().Sub(newestKey(m.Keys()).Created) < m.config.KeyLife {
		return nil
	}
	return m.rotateKeys(ctx)
}

// RotateKeys makes a new signing key. It is published at once and signs a while
// later, when every verifier has had time to read it; the old one is good until
// its last token has expired.
//
// Errors: ErrUnavailable; ErrConflict if another node did the same just now.
func (m *Manager) RotateKeys(ctx context.Context) error {
	m.keys.mu.Lock()
	defer m.keys.mu.Unlock()
	if err := m.readKeys(ctx); err != nil {
		return fromStore(err)
	}
	return m.rotateKeys(ctx)
}

// rotateKeys is called with keys.mu held and fresh keys.
func (m *Manager) rotateKeys(ctx context.Context) error {
	ring, err := m.keys.ring.Load().Rotate(m.config.TokenAlgorithm, m.now(), m.config.TokenLife)
	if err != nil {
		return err
	}
	if m.config.Secret == nil {
		m.useKeys(ring, 0)
	} else if err := m.writeKeys(ctx, ring, m.keys.version); err != nil {
		return fromStore(err)
	}
	m.emit(ctx, Event{Kind: KeyRotated})
	return nil
}

// Keys describes the signing keys, oldest first.
func (m *Manager) Keys() []token.KeyInfo { return m.keys.ring.Load().Keys() }

// openVerifier makes the verifier. It takes the tokens of every public URL that
// this store has had: an address that changed does not undo a login. The keys
// are the same, so the others are no less ours.
func (m *Manager) openVerifier(ctx context.Context) error {
	issuers := []string{m.issuer()}
	// Without an address of its own, such as in a command that rotates the
	// keys, a manager must not put itself in the place of the servers.
	if m.config.Secret != nil && m.config.PublicURL != "" {
		known, err := m.recordIssuer(ctx)
		if err != nil {
			return err
		}
		issuers = known
	}
	verifier := token.NewVerifier(token.Config{Issuers: issuers, Audiences: issuers})
	verifier.SetKeyring(m.keys.ring.Load())
	m.verifier.Store(verifier)
	examiner := token.NewVerifier(token.Config{Issuers: issuers, AnyAudience: true})
	examiner.SetKeyring(m.keys.ring.Load())
	m.examiner.Store(examiner)
	return nil
}

// recordIssuer puts our issuer first in the store's list, and returns the list.
func (m *Manager) recordIssuer(ctx context.Context) ([]string, error) {
	for range maxSwaps {
		var known []string
		data, version, err := m.store.Document(ctx, issuersDocument)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		default:
			if err := json.Unmarshal(data, &known); err != nil {
				return nil, fmt.Errorf("the list of issuers in the store is damaged: %w", err)
			}
		}
		ours := m.issuer()
		if len(known) > 0 && known[0] == ours {
			return known, nil
		}
		if len(known) > 0 {
			m.config.Logger.WarnContext(ctx, "the public URL has changed: nodes on one store must share one", "was", known[0], "is", ours)
		}
		known = slices.DeleteFunc(known, func(s string) bool { return s == ours })
		known = append([]string{ours}, known[:min(len(known), maxIssuers-1)]...)
		if data, err = json.Marshal(known); err != nil {
			return nil, err
		}
		err = m.store.SwapDocument(ctx, issuersDocument, version, data)
		if !errors.Is(err, store.ErrConflict) {
			return known, err
		}
	}
	return nil, ErrConflict
}
