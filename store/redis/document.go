package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/counterfoil/counterfoil/store"
)

var (
	documentScript = newScript("document", reads)
	swapScript     = newScript("swap", grows)
)

// Document implements [store.Store].
func (s *Store) Document(ctx context.Context, name string) ([]byte, uint64, error) {
	r, err := s.run(ctx, documentScript, name)
	if err != nil {
		return nil, 0, err
	}
	return []byte(r.text(3)), r.uint(2), *r.err
}

// SwapDocument implements [store.Store].
func (s *Store) SwapDocument(ctx context.Context, name string, version uint64, data []byte) error {
	if len(data) > store.MaxDocument {
		return fmt.Errorf("%w: a document takes at most %d bytes", store.ErrTooLarge, store.MaxDocument)
	}
	_, err := s.run(ctx, swapScript, name, strconv.FormatUint(version, 10), string(data))
	return err
}
