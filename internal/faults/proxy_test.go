package faults

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo answers whatever comes, a line for a line.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

// through sends text over a connection and reports what comes back soon.
func through(t *testing.T, c net.Conn, text string, patience time.Duration) error {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	return back(t, c, text, patience)
}

func back(t *testing.T, c net.Conn, text string, patience time.Duration) error {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != text {
		t.Fatalf("%q came back as %q", text, b)
	}
	return nil
}

// why: what the nemeses say they do they do.
func TestProxy(t *testing.T) {
	p, err := NewProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	const long, short = 5 * time.Second, 50 * time.Millisecond
	plain, listener := dial(), dial()
	for _, c := range []net.Conn{plain, listener} {
		if err := through(t, c, "LISTEN x"[:4], long); err != nil {
			t.Fatalf("open: %v", err)
		}
	}
	if err := through(t, listener, "LISTEN hints", long); err != nil {
		t.Fatalf("open: %v", err)
	}

	p.Set(Slow)
	begin := time.Now()
	if err := through(t, plain, "a", long); err != nil || time.Since(begin) < 2*delay {
		t.Errorf("slow: %v after %v, want %v", err, time.Since(begin), 2*delay)
	}

	p.Set(Deaf)
	if err := through(t, plain, "b", long); err != nil {
		t.Errorf("deaf, no hint: %v", err)
	}
	if err := through(t, listener, "c", short); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deaf, a hint: %v, want silence", err)
	}

	p.Set(Held)
	if err := through(t, plain, "d", short); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("held: %v, want silence", err)
	}
	p.Set(Open)
	if err := back(t, plain, "d", long); err != nil {
		t.Errorf("held, then open: %v", err)
	}

	p.Set(Cut)
	if err := through(t, plain, "e", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut: %v, want a reset", err)
	}
	if err := through(t, dial(), "f", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut, a new one: %v, want a reset", err)
	}
	p.Set(Open)
	if err := through(t, dial(), "g", long); err != nil {
		t.Errorf("open again: %v", err)
	}
}
