package stores

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// ours is one of our stores, asked as the middleware asks it.
type ours struct{ store.Store }

func (o ours) Insert(ctx context.Context, id key) error {
	_, err := o.Create(ctx, store.Creation{
		Session: store.Session{
			ID:     id.sid,
			Secret: sha256.Sum256([]byte(id.token)),
			User:   user(id.n),
			Idle:   idle,
		},
		Lifetime: lifetime,
		Values:   values(id.n, 0),
	})
	return err
}

func (o ours) Update(ctx context.Context, id key, version uint64, values []byte) error {
	return o.SaveValues(ctx, id.sid, version, values)
}

func (o ours) User(ctx context.Context, id key) (string, error) {
	s, err := o.Find(ctx, id.sid)
	return s.User, err
}

func (o ours) Values(ctx context.Context, id key) ([]byte, error) {
	v, _, err := o.Store.Values(ctx, id.sid)
	return v, err
}

func (o ours) Delete(ctx context.Context, id key) error {
	_, err := o.End(ctx, id.sid, 10*time.Minute)
	return err
}
