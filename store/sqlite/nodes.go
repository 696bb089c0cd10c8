package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Beat implements [store.Store].
func (s *Store) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	return s.Follow(ctx, b.After, b.Limit)
}

// Holders implements [store.Store].
func (s *Store) Holders(ctx context.Context) ([]store.Holder, time.Time, error) {
	return nil, time.Time{}, errors.ErrUnsupported
}

// Watch implements [store.Store].
func (s *Store) Watch(ctx context.Context, hint func(store.Hint)) error {
	<-ctx.Done()
	return nil
}

// Nudge implements [store.Store].
func (s *Store) Nudge(ctx context.Context) error { return errors.ErrUnsupported }

// Merge implements [store.Store].
func (s *Store) Merge(ctx context.Context, entries []store.Entry) error {
	return errors.ErrUnsupported
}

// InProcess implements [store.Store].
func (s *Store) InProcess() bool { return false }
