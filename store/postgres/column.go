package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/counterfoil/counterfoil/store"
)

// A column is an array that a statement is given; nil is NULL. The driver takes
// its elements by pointers, which costs it a fraction of what a slice does: of
// that it would put every element on the heap.
type column[T any] []T

// Dimensions implements [pgtype.ArrayGetter].
func (c column[T]) Dimensions() []pgtype.ArrayDimension {
	if c == nil {
		return nil
	}
	return []pgtype.ArrayDimension{{Length: int32(len(c)), LowerBound: 1}}
}

// Index implements [pgtype.ArrayGetter].
func (c column[T]) Index(i int) any { return &c[i] }

// IndexType implements [pgtype.ArrayGetter].
func (c column[T]) IndexType() any { return new(T) }

// columnOf returns what value returns for each of some things.
func columnOf[S, T any](of []S, value func(S) T) column[T] {
	c := make(column[T], len(of))
	for i, s := range of {
		c[i] = value(s)
	}
	return c
}

// A number is an element of an array of integers.
type number int64

// Int64Value implements [pgtype.Int64Valuer].
func (n number) Int64Value() (pgtype.Int8, error) {
	return pgtype.Int8{Int64: int64(n), Valid: true}, nil
}

// A blob is an element of an array of bytea; nil is NULL.
type blob []byte

// BytesValue implements [pgtype.BytesValuer].
func (b blob) BytesValue() ([]byte, error) { return b, nil }

func uuid(id store.SID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
