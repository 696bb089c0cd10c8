// Package env gives a program what package testing gives a test, so that both
// can use the private servers of internal/servers.
package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// Use calls f with a testing.TB, and then what f gave it to clean up. It returns
// f's error, and what failed by the TB.
func Use(ctx context.Context, f func(tb testing.TB) error) error {
	ctx, cancel := context.WithCancel(ctx)
	tb := &bench{ctx: ctx}
	inGoroutine(func() { tb.note(f(tb)) })
	cancel()
	for tb.cleanUpNext() {
	}
	return tb.err
}

// inGoroutine calls f in a goroutine that may end early, as FailNow ends one.
func inGoroutine(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// bench is a testing.TB outside of a test. Methods that it does not have would
// panic.
type bench struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	err      error
	cleanups []func()
}

func (b *bench) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, err)
}

func (b *bench) cleanUpNext() bool {
	b.mu.Lock()
	n := len(b.cleanups)
	if n == 0 {
		b.mu.Unlock()
		return false
	}
	last := b.cleanups[n-1]
	b.cleanups = b.cleanups[:n-1]
	b.mu.Unlock()
	inGoroutine(last)
	return true
}

func (b *bench) Cleanup(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cleanups = append(b.cleanups, f)
}

func (b *bench) Context() context.Context          { return b.ctx }
func (b *bench) Name() string                      { return "bench" }
func (b *bench) Helper()                           {}
func (b *bench) Log(args ...any)                   { fmt.Fprintln(os.Stderr, args...) }
func (b *bench) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (b *bench) Error(args ...any)                 { b.note(errors.New(fmt.Sprint(args...))) }
func (b *bench) Errorf(format string, args ...any) { b.note(fmt.Errorf(format, args...)) }
func (b *bench) FailNow()                          { runtime.Goexit() }

func (b *bench) Fatal(args ...any) {
	b.Error(args...)
	b.FailNow()
}

func (b *bench) Fatalf(format string, args ...any) {
	b.Errorf(format, args...)
	b.FailNow()
}

func (b *bench) Failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

func (b *bench) TempDir() string {
	dir, err := os.MkdirTemp("", "counterfoil-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	return dir
}
