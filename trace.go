package counterfoil

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A tracedStore calls Config.OnStore around every call of the store.
type tracedStore struct {
	store.Store
	hook func(ctx context.Context, method string) (context.Context, func(error))
}

func traced[T any](t tracedStore, ctx context.Context, method string, call func(context.Context) (T, error)) (T, error) {
	ctx, done := t.hook(ctx, method)
	result, err := call(ctx)
	if done != nil {
		done(err)
	}
	return result, err
}

func (t tracedStore) do(ctx context.Context, method string, call func(context.Context) error) error {
	_, err := traced(t, ctx, method, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

type versioned struct {
	data    []byte
	version uint64
}

func (t tracedStore) Create(ctx context.Context, c store.Creation) (store.Session, error) {
	return traced(t, ctx, "Create", func(ctx context.Context) (store.Session, error) { return t.Store.Create(ctx, c) })
}

func (t tracedStore) Find(ctx context.Context, id store.SID) (store.Session, error) {
	return traced(t, ctx, "Find", func(ctx context.Context) (store.Session, error) { return t.Store.Find(ctx, id) })
}

func (t tracedStore) List(ctx context.Context, q store.Query) ([]store.Session, error) {
	return traced(t, ctx, "List", func(ctx context.Context) ([]store.Session, error) { return t.Store.List(ctx, q) })
}

func (t tracedStore) Values(ctx context.Context, id store.SID) ([]byte, uint64, error) {
	v, err := traced(t, ctx, "Values", func(ctx context.Context) (v versioned, err error) {
		v.data, v.version, err = t.Store.Values(ctx, id)
		return v, err
	})
	return v.data, v.version, err
}

func (t tracedStore) SaveValues(ctx context.Context, id store.SID, version uint64, values []byte) error {
	return t.do(ctx, "SaveValues", func(ctx context.Context) error { return t.Store.SaveValues(ctx, id, version, values) })
}

func (t tracedStore) Touch(ctx context.Context, touches []store.Touch) error {
	return t.do(ctx, "Touch", func(ctx context.Context) error { return t.Store.Touch(ctx, touches) })
}

func (t tracedStore) RotateRefresh(ctx context.Context, r store.Rotation) (store.Rotated, error) {
	return traced(t, ctx, "RotateRefresh", func(ctx context.Context) (store.Rotated, error) { return t.Store.RotateRefresh(ctx, r) })
}

func (t tracedStore) FindRefresh(ctx context.Context, r store.Rotation) (store.Session, error) {
	return traced(t, ctx, "FindRefresh", func(ctx context.Context) (store.Session, error) { return t.Store.FindRefresh(ctx, r) })
}

func (t tracedStore) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	return traced(t, ctx, "End", func(ctx context.Context) (store.Ended, error) { return t.Store.End(ctx, id, retain) })
}

func (t tracedStore) EndUser(ctx context.Context, user string, except store.SID, retain time.Duration) (store.Ended, error) {
	return traced(t, ctx, "EndUser", func(ctx context.Context) (store.Ended, error) { return t.Store.EndUser(ctx, user, except, retain) })
}

func (t tracedStore) EndAll(ctx context.Context, retain time.Duration) (store.Ended, error) {
	return traced(t, ctx, "EndAll", func(ctx context.Context) (store.Ended, error) { return t.Store.EndAll(ctx, retain) })
}

func (t tracedStore) Generation(ctx context.Context, user string) (uint64, error) {
	return traced(t, ctx, "Generation", func(ctx context.Context) (uint64, error) { return t.Store.Generation(ctx, user) })
}

func (t tracedStore) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	return traced(t, ctx, "Follow", func(ctx context.Context) (store.News, error) { return t.Store.Follow(ctx, after, limit) })
}

func (t tracedStore) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	return traced(t, ctx, "Beat", func(ctx context.Context) (store.News, error) { return t.Store.Beat(ctx, b) })
}

func (t tracedStore) Holders(ctx context.Context) (_ []store.Holder, now time.Time, _ error) {
	holders, err := traced(t, ctx, "Holders", func(ctx context.Context) (holders []store.Holder, err error) {
		holders, now, err = t.Store.Holders(ctx)
		return holders, err
	})
	return holders, now, err
}

func (t tracedStore) Nudge(ctx context.Context) error { return t.do(ctx, "Nudge", t.Store.Nudge) }

func (t tracedStore) Merge(ctx context.Context, entries []store.Entry) error {
	return t.do(ctx, "Merge", func(ctx context.Context) error { return t.Store.Merge(ctx, entries) })
}

func (t tracedStore) Snapshot(ctx context.Context) (store.News, error) {
	return traced(t, ctx, "Snapshot", t.Store.Snapshot)
}

func (t tracedStore) Purge(ctx context.Context, limit int) (int, error) {
	return traced(t, ctx, "Purge", func(ctx context.Context) (int, error) { return t.Store.Purge(ctx, limit) })
}

func (t tracedStore) Document(ctx context.Context, name string) ([]byte, uint64, error) {
	v, err := traced(t, ctx, "Document", func(ctx context.Context) (v versioned, err error) {
		v.data, v.version, err = t.Store.Document(ctx, name)
		return v, err
	})
	return v.data, v.version, err
}

func (t tracedStore) SwapDocument(ctx context.Context, name string, version uint64, data []byte) error {
	return t.do(ctx, "SwapDocument", func(ctx context.Context) error { return t.Store.SwapDocument(ctx, name, version, data) })
}
