package counterfoil

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/counterfoil/counterfoil/store"
)

// A Key is a typed value in the session. Declare one for each kind of value:
//
//	var cart = counterfoil.NewKey[[]Item]("cart")
//
//	items, err := cart.Get(r.Context())
//	err = cart.Set(r.Context(), append(items, item))
//
// Values are kept as JSON, of a struct the exported fields, and are decoded only
// when they are asked for. All values of a session together take 1 MiB
// (store.MaxValues). How a value makes its JSON must not use the session.
//
// The methods are safe for concurrent use. All of them return ErrNoHandler
// outside of Manager.Handler, ErrEnded if the session has ended, and
// ErrUnavailable if the store can't be asked.
type Key[T any] struct{ name string }

// NewKey makes the key for the value with that name: 1 to 128 bytes, unique in
// the program. It panics on another length.
func NewKey[T any](name string) Key[T] {
	checkKeyName(name)
	return Key[T]{name}
}

// Get returns the value, or the zero T if there is none. A value that was set as
// another type, which JSON can't make a T of, is an error; Set and Delete get rid
// of it.
func (k Key[T]) Get(ctx context.Context) (T, error) {
	var zero T
	x, err := k.exchange(ctx)
	if err != nil {
		return zero, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	raw, err := x.lookUp(ctx, k.name)
	if err != nil {
		return zero, err
	}
	return k.decode(raw)
}

// Set replaces the value. It is saved together with all other changes before
// the answer's first byte leaves; requests that set other keys meanwhile do not
// undo it. Without a session it begins an anonymous one.
//
// Errors: ErrCommitted if the answer has begun, ErrEnded after a logout in this
// request, ErrTooLarge; a value that JSON has no form for. What can't be saved
// later, since all values together are too large or the session has ended in
// another tab, is told by the answer: Config.ErrorHandler writes it in the place
// of the handler's.
func (k Key[T]) Set(ctx context.Context, value T) error {
	raw, err := k.encode(value)
	if err != nil {
		return err
	}
	return k.put(ctx, raw)
}

// Delete removes the value. It takes effect like Set.
func (k Key[T]) Delete(ctx context.Context) error { return k.put(ctx, nil) }

func (k Key[T]) put(ctx context.Context, raw []byte) error {
	x, err := k.exchange(ctx)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.put(k.name, raw)
}

// Update replaces the value by edit(value), atomically and at once: if another
// request changes the session meanwhile, edit is called again with the newer
// value. So edit must have no side effects, and it must not use the session. If
// it returns an error, nothing is changed and Update returns that error.
//
// Errors: as Set, and ErrConflict if there is no end of other changes.
func (k Key[T]) Update(ctx context.Context, edit func(T) (T, error)) error {
	x, err := k.exchange(ctx)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.committed {
		return x.tooLate("key " + k.name)
	}
	if x.session().id.IsZero() || x.changes().find(k.name) != nil {
		return k.updateHere(ctx, x, edit)
	}
	if err := x.load(ctx); err != nil {
		return err
	}
	err = x.m.swapValues(ctx, x.session().id, x.rare.values, func(data []byte) ([]byte, error) {
		raw, err := k.apply(findValue(data, k.name), edit)
		if err != nil {
			return nil, err
		}
		return applyChanges(data, &change{key: k.name, json: raw}), nil
	})
	x.rare.values = values{} // what comes next reads what others wrote, too
	return err
}

// updateHere changes a value that only this request knows of.
func (k Key[T]) updateHere(ctx context.Context, x *exchange, edit func(T) (T, error)) error {
	raw, err := x.lookUp(ctx, k.name)
	if err != nil {
		return err
	}
	if raw, err = k.apply(raw, edit); err != nil {
		return err
	}
	return x.put(k.name, raw)
}

func (k Key[T]) apply(raw []byte, edit func(T) (T, error)) ([]byte, error) {
	value, err := k.decode(raw)
	if err != nil {
		return nil, err
	}
	if value, err = edit(value); err != nil {
		return nil, err
	}
	return k.encode(value)
}

// exchange refuses a Key that was not made by NewKey: all such would be one.
func (k Key[T]) exchange(ctx context.Context) (*exchange, error) {
	if k.name == "" {
		return nil, misusef("a Key without a name: make it with NewKey")
	}
	return exchangeFrom(ctx)
}

func (k Key[T]) decode(raw []byte) (value T, err error) {
	if raw == nil || decodePlain(raw, &value) {
		return value, nil
	}
	return k.unmarshal(raw)
}

// unmarshal does not pass on what encoding/json says: that quotes values, and
// they may be secrets of the application.
func (k Key[T]) unmarshal(raw []byte) (value T, err error) {
	if err := json.Unmarshal(raw, &value); err != nil {
		var zero T
		return zero, misusef("the session's value %q is not a %v: use another name, or Set it anew", k.name, reflect.TypeFor[T]())
	}
	return value, nil
}

func (k Key[T]) encode(value T) ([]byte, error) {
	raw := encodePlain(value)
	if raw == nil {
		var err error
		if raw, err = json.Marshal(value); err != nil {
			return nil, misusef("the value for %q can't be kept: %w", k.name, err)
		}
	}
	if len(raw) > store.MaxValues {
		return nil, fmt.Errorf("%w: the value for %q has %d bytes", ErrTooLarge, k.name, len(raw))
	}
	return raw, nil
}
