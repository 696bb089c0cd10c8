package storetest

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A Fault is what goes wrong in one call of a [Faulty]. The zero Fault is none.
// Delay comes first, then the first of Hang, DangerouslyLost and Err that is
// set.
type Fault struct {
	// Delay lets time pass before anything else. If the context ends meanwhile,
	// nothing is applied and the call returns the context's error.
	Delay time.Duration

	// Hang waits until the context ends and returns its error. Nothing is
	// applied. It needs a context that ends.
	Hang bool

	// DangerouslyLost reports success and applies nothing: "failed but reported
	// nothing". The contract allows it to no store; it is here to show what a
	// caller does with one that breaks it. What is returned besides is empty.
	DangerouslyLost bool

	// Err is returned in place of the outcome. Unless Applied is set, nothing
	// is applied. Any error will do, or one of the contract, such as
	// store.ErrIndeterminate.
	Err error

	// Applied, with Err: the call takes effect, and then reports that error all
	// the same.
	Applied bool
}

// A Faulty is a store that breaks on purpose. It is safe for concurrent use if
// Store and Fault are.
type Faulty struct {
	Store store.Store
	// Fault decides about each call by the name of its method, such as "End".
	Fault func(method string) Fault
}

var _ store.Store = Faulty{} // a new method of the contract needs its fault here

// inject makes one call: apply is the real one.
func inject[T any](ctx context.Context, f Faulty, method string, apply func() (T, error)) (T, error) {
	var none T
	fault := f.Fault(method)
	if err := wait(ctx, fault); err != nil {
		return none, err
	}
	switch {
	case fault.DangerouslyLost:
		return none, nil
	case fault.Err == nil:
		return apply()
	case fault.Applied:
		apply() // whatever it says, the caller is told of a failure
	}
	return none, fault.Err
}

func wait(ctx context.Context, fault Fault) error {
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fault.Hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// injectBlob is inject for methods that return bytes and their version.
func injectBlob(ctx context.Context, f Faulty, method string, apply func() ([]byte, uint64, error)) ([]byte, uint64, error) {
	type blob struct {
		data    []byte
		version uint64
	}
	b, err := inject(ctx, f, method, func() (blob, error) {
		data, version, err := apply()
		return blob{data, version}, err
	})
	return b.data, b.version, err
}

// injectError is inject for methods that return an error only.
func injectError(ctx context.Context, f Faulty, method string, apply func() error) error {
	_, err := inject(ctx, f, method, func() (struct{}, error) { return struct{}{}, apply() })
	return err
}

// Create implements [store.Store].
func (f Faulty) Create(ctx context.Context, c store.Creation) (store.Session, error) {
	return inject(ctx, f, "Create", func() (store.Session, error) { return f.Store.Create(ctx, c) })
}

// Find implements [store.Store].
func (f Faulty) Find(ctx context.Context, id store.SID) (store.Session, error) {
	return inject(ctx, f, "Find", func() (store.Session, error) { return f.Store.Find(ctx, id) })
}

// List implements [store.Store].
func (f Faulty) List(ctx context.Context, q store.Query) ([]store.Session, error) {
	return inject(ctx, f, "List", func() ([]store.Session, error) { return f.Store.List(ctx, q) })
}

// Values implements [store.Store].
func (f Faulty) Values(ctx context.Context, id store.SID) ([]byte, uint64, error) {
	return injectBlob(ctx, f, "Values", func() ([]byte, uint64, error) { return f.Store.Values(ctx, id) })
}

// SaveValues implements [store.Store].
func (f Faulty) SaveValues(ctx context.Context, id store.SID, version uint64, values []byte) error {
	return injectError(ctx, f, "SaveValues", func() error { return f.Store.SaveValues(ctx, id, version, values) })
}

// Touch implements [store.Store].
func (f Faulty) Touch(ctx context.Context, touches []store.Touch) error {
	return injectError(ctx, f, "Touch", func() error { return f.Store.Touch(ctx, touches) })
}

// RotateRefresh implements [store.Store].
func (f Faulty) RotateRefresh(ctx context.Context, r store.Rotation) (store.Rotated, error) {
	return inject(ctx, f, "RotateRefresh", func() (store.Rotated, error) { return f.Store.RotateRefresh(ctx, r) })
}

// FindRefresh implements [store.Store].
func (f Faulty) FindRefresh(ctx context.Context, r store.Rotation) (store.Session, error) {
	return inject(ctx, f, "FindRefresh", func() (store.Session, error) { return f.Store.FindRefresh(ctx, r) })
}

// End implements [store.Store].
func (f Faulty) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	return inject(ctx, f, "End", func() (store.Ended, error) { return f.Store.End(ctx, id, retain) })
}

// EndUser implements [store.Store].
func (f Faulty) EndUser(ctx context.Context, user string, except store.SID, retain time.Duration) (store.Ended, error) {
	return inject(ctx, f, "EndUser", func() (store.Ended, error) { return f.Store.EndUser(ctx, user, except, retain) })
}

// EndAll implements [store.Store].
func (f Faulty) EndAll(ctx context.Context, retain time.Duration) (store.Ended, error) {
	return inject(ctx, f, "EndAll", func() (store.Ended, error) { return f.Store.EndAll(ctx, retain) })
}

// Generation implements [store.Store].
func (f Faulty) Generation(ctx context.Context, user string) (uint64, error) {
	return inject(ctx, f, "Generation", func() (uint64, error) { return f.Store.Generation(ctx, user) })
}

// Follow implements [store.Store].
func (f Faulty) Follow(ctx context.Context, after store.Cursor, limit int) (store.News, error) {
	return inject(ctx, f, "Follow", func() (store.News, error) { return f.Store.Follow(ctx, after, limit) })
}

// Beat implements [store.Store].
func (f Faulty) Beat(ctx context.Context, b store.Beat) (store.News, error) {
	return inject(ctx, f, "Beat", func() (store.News, error) { return f.Store.Beat(ctx, b) })
}

// Holders implements [store.Store].
func (f Faulty) Holders(ctx context.Context) (_ []store.Holder, now time.Time, _ error) {
	holders, err := inject(ctx, f, "Holders", func() (holders []store.Holder, err error) {
		holders, now, err = f.Store.Holders(ctx)
		return holders, err
	})
	return holders, now, err
}

// Watch implements [store.Store].
func (f Faulty) Watch(ctx context.Context, hint func(store.Hint)) error {
	_, err := inject(ctx, f, "Watch", func() (struct{}, error) { return struct{}{}, f.Store.Watch(ctx, hint) })
	return err
}

// Nudge implements [store.Store].
func (f Faulty) Nudge(ctx context.Context) error {
	_, err := inject(ctx, f, "Nudge", func() (struct{}, error) { return struct{}{}, f.Store.Nudge(ctx) })
	return err
}

// Merge implements [store.Store].
func (f Faulty) Merge(ctx context.Context, entries []store.Entry) error {
	_, err := inject(ctx, f, "Merge", func() (struct{}, error) { return struct{}{}, f.Store.Merge(ctx, entries) })
	return err
}

// InProcess implements [store.Store]. It is false: a store that fails is not
// the memory of this process.
func (f Faulty) InProcess() bool { return false }

// Snapshot implements [store.Store].
func (f Faulty) Snapshot(ctx context.Context) (store.News, error) {
	return inject(ctx, f, "Snapshot", func() (store.News, error) { return f.Store.Snapshot(ctx) })
}

// Purge implements [store.Store].
func (f Faulty) Purge(ctx context.Context, limit int) (int, error) {
	return inject(ctx, f, "Purge", func() (int, error) { return f.Store.Purge(ctx, limit) })
}

// Document implements [store.Store].
func (f Faulty) Document(ctx context.Context, name string) ([]byte, uint64, error) {
	return injectBlob(ctx, f, "Document", func() ([]byte, uint64, error) { return f.Store.Document(ctx, name) })
}

// SwapDocument implements [store.Store].
func (f Faulty) SwapDocument(ctx context.Context, name string, version uint64, data []byte) error {
	return injectError(ctx, f, "SwapDocument", func() error { return f.Store.SwapDocument(ctx, name, version, data) })
}

// Close implements [store.Store]. Its faults have no context: Hang would last
// forever and is left out.
func (f Faulty) Close() error {
	fault := f.Fault("Close")
	fault.Hang = false
	return injectError(context.Background(), Faulty{f.Store, func(string) Fault { return fault }}, "Close", f.Store.Close)
}
