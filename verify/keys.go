package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

const (
	keysInterval = 20 * time.Second // as often as nodes do; a new key is published 5 minutes before it signs
	keysPause    = 2 * time.Second  // between two fetches, whoever asks
	keysTimeout  = 5 * time.Second
	maxKeySet    = 64 << 10
)

// keys are the times at which the issuer's keys were fetched.
type keys struct {
	mu      sync.Mutex
	tried   time.Time
	fetched time.Time
}

// due reports whether the latest fetch began at least that long ago, and takes
// the turn if so.
func (k *keys) due(after time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.tried.IsZero() && time.Since(k.tried) < after {
		return false
	}
	k.tried = time.Now()
	return true
}

func (k *keys) succeeded() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fetched = time.Now()
}

// fresh reports whether a key that we don't know is none of the issuer's.
func (k *keys) fresh() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.fetched.IsZero() && time.Since(k.fetched) < 3*keysInterval
}

// tendKeys fetches the keys again and again.
func (v *Verifier) tendKeys(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	failed := false
	for {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		v.keys.due(0)
		err := v.fetchKeys(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			v.config.Logger.Warn("the issuer's keys can't be read; trying again", "error", err)
		}
		failed = err != nil
		if failed {
			wait.Reset(keysPause)
		} else {
			wait.Reset(keysInterval)
		}
	}
}

// fetchKeys makes the issuer's keys those that count. They are public: no
// secret is sent.
func (v *Verifier) fetchKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.config.Issuer+"/.well-known/jwks.json", nil)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	res, err := v.client.Do(r)
	if err != nil {
		return fmt.Errorf("verify: fetch the issuer's keys: %w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	if err != nil {
		return fmt.Errorf("verify: fetch the issuer's keys: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("verify: the issuer answers /.well-known/jwks.json with %s: is Config.Issuer right?", res.Status)
	}
	if len(data) > maxKeySet {
		return errors.New("verify: the issuer's keys are too many bytes")
	}
	ring, err := token.ParseJWKS(data)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	v.tokens.SetKeyring(ring)
	v.keys.succeeded()
	return nil
}
