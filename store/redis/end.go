package redis

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

var (
	endScript        = newScript("end", ends)
	endUserScript    = newScript("end_user", ends)
	endAllScript     = newScript("end_all", ends)
	generationScript = newScript("generation", ends)
)

// End implements [store.Store].
func (s *Store) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	return s.end(ctx, endScript, id.String(), number(retained(retain)))
}

// EndUser implements [store.Store]. It is one script, whose time grows with the
// number of the user's sessions.
func (s *Store) EndUser(ctx context.Context, user string, except store.SID, retain time.Duration) (store.Ended, error) {
	return s.end(ctx, endUserScript, user, except.String(), number(retained(retain)))
}

// EndAll implements [store.Store]. It takes the same time however many sessions
// there are; Purge removes them later. Ended.Count is -1.
func (s *Store) EndAll(ctx context.Context, retain time.Duration) (store.Ended, error) {
	return s.end(ctx, endAllScript, number(retained(retain)))
}

func (s *Store) end(ctx context.Context, sc *script, args ...string) (store.Ended, error) {
	r, err := s.run(ctx, sc, args...)
	if err != nil {
		return store.Ended{}, err
	}
	ended := store.Ended{Count: int(r.int(2)), Head: r.cursor(3)}
	if *r.err != nil {
		return store.Ended{}, sc.explain(*r.err)
	}
	return ended, nil
}

// Generation implements [store.Store].
func (s *Store) Generation(ctx context.Context, user string) (uint64, error) {
	r, err := s.run(ctx, generationScript, user)
	if err != nil {
		return 0, err
	}
	return r.uint(2), *r.err
}
