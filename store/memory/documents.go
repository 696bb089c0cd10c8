package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/counterfoil/counterfoil/store"
)

type document struct {
	data    []byte
	version uint64
}

// Document implements [store.Store].
func (s *Store) Document(ctx context.Context, name string) ([]byte, uint64, error) {
	if err := s.beginRead(ctx); err != nil {
		return nil, 0, err
	}
	defer s.mu.RUnlock()
	d, ok := s.documents[name]
	if !ok {
		return nil, 0, store.ErrNotFound
	}
	return slices.Clone(d.data), d.version, nil
}

// SwapDocument implements [store.Store].
func (s *Store) SwapDocument(ctx context.Context, name string, version uint64, data []byte) error {
	if len(data) > store.MaxDocument {
		return fmt.Errorf("%w: a document takes at most %d bytes", store.ErrTooLarge, store.MaxDocument)
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.documents[name].version != version {
		return store.ErrConflict
	}
	s.documents[name] = document{slices.Clone(data), version + 1}
	return nil
}
