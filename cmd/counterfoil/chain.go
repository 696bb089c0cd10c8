package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// A chain makes a log tamper-evident (ASVS 16.4.2). Every line begins with
//
//	chain=RUN.NUMBER.MAC
//
// where the MAC covers the line and the MAC of the line before, under a key
// derived from the secret file. Who changes, removes, inserts or reorders lines
// without the secret breaks it, and [verifyLog] tells where. What does not show
// is a log cut off at its end, and a whole run taken out: ship the log elsewhere
// as it is written.
//
// It is an io.Writer for a slog handler, which makes one Write for each line.
type chain struct {
	mu   sync.Mutex
	out  io.Writer
	key  []byte
	run  string // tells the lines of this process from those of others
	n    int
	last []byte
}

// newChain begins a chain on out.
func newChain(out io.Writer, s *secret) *chain {
	return &chain{out: out, key: chainKey(s), run: rand.Text()[:10]}
}

func chainKey(s *secret) []byte {
	h := hmac.New(sha256.New, s[:])
	io.WriteString(h, "counterfoil log chain")
	return h.Sum(nil)
}

// Write puts the chain's field before the line. It reports as written what it was
// given.
func (c *chain) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.last = link(c.key, c.run, c.n, c.last, bytes.TrimSuffix(line, []byte("\n")))
	if _, err := fmt.Fprintf(c.out, "%s%s %s", chainField, chainValue(c.run, c.n, c.last), line); err != nil {
		return 0, err
	}
	return len(line), nil
}

const chainField = "chain="

func chainValue(run string, n int, mac []byte) string {
	return run + "." + strconv.Itoa(n) + "." + base64.RawURLEncoding.EncodeToString(mac)
}

// link is the MAC of a line: 128 bits, of lengths that can't be confused.
func link(key []byte, run string, n int, last, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%d.%x.", run, n, last)
	h.Write(text)
	return h.Sum(nil)[:16]
}

// maxLogLine bounds a line that is read; slog writes none as long.
const maxLogLine = 1 << 20

// verifyLog reads a log of one or several processes and returns how many lines
// and runs it has. Lines that serve prints without the log, such as the link for
// the first user, are passed over; a line of a log without a chain is not.
//
// Its error names the first line that does not continue the chain.
func verifyLog(log io.Reader, s *secret) (lines, runs int, err error) {
	type state struct {
		n    int
		last []byte
	}
	key, seen := chainKey(s), map[string]*state{}
	scanner := bufio.NewScanner(log)
	scanner.Buffer(nil, maxLogLine)
	for number := 1; scanner.Scan(); number++ {
		text, value, ok := cutChain(scanner.Text())
		if !ok && strings.Contains(scanner.Text(), "msg=") {
			return lines, len(seen), fmt.Errorf("line %d has no chain at its beginning: serve did not write it so", number)
		}
		if !ok {
			continue
		}
		run, _, _ := strings.Cut(value, ".")
		st := seen[run]
		if st == nil {
			st = &state{}
			seen[run] = st
		}
		st.n++
		st.last = link(key, run, st.n, st.last, []byte(text))
		if !hmac.Equal([]byte(value), []byte(chainValue(run, st.n, st.last))) {
			return lines, len(seen), fmt.Errorf("line %d does not continue the chain: it, or a line before it, was changed, removed, inserted or moved, or another secret wrote it", number)
		}
		lines++
	}
	return lines, len(seen), scanner.Err()
}

// cutChain splits a line into its text and the value of its chain.
func cutChain(line string) (text, value string, ok bool) {
	rest, ok := strings.CutPrefix(line, chainField)
	if !ok {
		return "", "", false
	}
	value, text, ok = strings.Cut(rest, " ")
	return text, value, ok
}
