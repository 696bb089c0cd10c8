package stores

import (
	"context"
	"errors"
	"time"
)

// opaque is a peer that keeps a session as one value under its token: the
// stores of scs, and Fiber's storage.
type opaque struct {
	set func(ctx context.Context, token string, data []byte, expires time.Time) error
	get func(ctx context.Context, token string) ([]byte, error)
	del func(ctx context.Context, token string) error
}

var errAbsent = errors.New("no such session")

func (o opaque) Insert(ctx context.Context, id key) error {
	return o.set(ctx, id.token, pack(user(id.n), values(id.n, 0)), time.Now().Add(lifetime))
}

func (o opaque) Update(ctx context.Context, id key, _ uint64, values []byte) error {
	return o.set(ctx, id.token, pack(user(id.n), values), time.Now().Add(lifetime))
}

func (o opaque) User(ctx context.Context, id key) (string, error) {
	b, err := o.get(ctx, id.token)
	if err != nil {
		return "", err
	}
	user, _, err := unpack(b)
	return user, err
}

func (o opaque) Values(ctx context.Context, id key) ([]byte, error) {
	b, err := o.get(ctx, id.token)
	if err != nil {
		return nil, err
	}
	_, values, err := unpack(b)
	return values, err
}

func (o opaque) Delete(ctx context.Context, id key) error { return o.del(ctx, id.token) }

// scsStore is the interface of scs's stores without a context.
type scsStore interface {
	Find(token string) ([]byte, bool, error)
	Commit(token string, b []byte, expiry time.Time) error
	Delete(token string) error
}

func scs(s scsStore) opaque {
	return opaque{
		set: func(_ context.Context, token string, data []byte, expires time.Time) error {
			return s.Commit(token, data, expires)
		},
		get: func(_ context.Context, token string) ([]byte, error) { return found(s.Find(token)) },
		del: func(_ context.Context, token string) error { return s.Delete(token) },
	}
}

func found(b []byte, ok bool, err error) ([]byte, error) {
	if err == nil && !ok {
		err = errAbsent
	}
	return b, err
}
