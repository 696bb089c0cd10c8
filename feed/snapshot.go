package feed

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil/internal/problem"
	"github.com/counterfoil/counterfoil/store"
)

// A snapshot is binary, since there may be millions of entries: 25 bytes each
// instead of about 100, and any language reads it with one loop. All numbers are
// unsigned and big-endian, all times and spans are milliseconds.
//
//	magic "cfsnap1\n" | head: pos (8), id (16) | now (8) | hold (8) | count (8)
//	count times: kind (1) | session id (16) | expires (8)
//	SHA-256 of everything before it (32)
//
// The digest shows that all of it arrived; who wrote it is for TLS to show.
const (
	snapshotMagic  = "cfsnap1\n"
	snapshotHeader = len(snapshotMagic) + 8 + 16 + 8 + 8 + 8
	snapshotEntry  = 1 + 16 + 8
	snapshotType   = "application/vnd.counterfoil.snapshot"

	snapshotFresh = time.Second // for how long one snapshot serves all
	snapshotChunk = 256 << 10   // bytes that a reader has writeTimeout for
	maxDownloads  = 64          // at once; they share the snapshot's memory
)

func appendSnapshot(b []byte, n store.News, hold time.Duration) []byte {
	order := binary.BigEndian
	b = append(b, snapshotMagic...)
	b = order.AppendUint64(b, n.Head.Pos)
	b = append(b, n.Head.ID[:]...)
	b = order.AppendUint64(b, uint64(n.Now.UnixMilli()))
	b = order.AppendUint64(b, uint64(hold.Milliseconds()))
	b = order.AppendUint64(b, uint64(len(n.Entries)))
	for i := range n.Entries {
		e := &n.Entries[i]
		b = append(append(b, byte(e.Kind)), e.Session[:]...)
		b = order.AppendUint64(b, uint64(e.Expires.UnixMilli()))
	}
	digest := sha256.Sum256(b)
	return append(b, digest[:]...)
}

// readSnapshot reads a snapshot of at most that many entries, and nothing behind
// it. What it returns is whole, or an error.
func readSnapshot(from io.Reader, maxEntries uint64) (n store.News, hold time.Duration, err error) {
	digest := sha256.New()
	r := bufio.NewReaderSize(from, 64<<10)
	hashed := io.TeeReader(r, digest)
	header := make([]byte, snapshotHeader)
	if err := readWhole(hashed, header); err != nil {
		return n, 0, err
	}
	rest, ok := bytes.CutPrefix(header, []byte(snapshotMagic))
	if !ok {
		return n, 0, malformed("this is no snapshot, or one of a later version")
	}
	order := binary.BigEndian
	n.Head.Pos = order.Uint64(rest)
	copy(n.Head.ID[:], rest[8:24])
	if n.Now, err = parseTime(int64(order.Uint64(rest[24:]))); err != nil {
		return n, 0, err
	}
	ms := int64(order.Uint64(rest[32:]))
	if hold, err = parseSpan("hold", &ms); err != nil {
		return n, 0, err
	}
	count := order.Uint64(rest[40:])
	if count > maxEntries {
		return n, 0, malformed("a snapshot of %d entries, more than %d: raise MaxEntries", count, maxEntries)
	}
	n.Entries = make([]store.Entry, 0, min(count, 1<<16)) // the count may lie; the bytes can't
	record := make([]byte, snapshotEntry)
	for range count {
		if err := readWhole(hashed, record); err != nil {
			return n, 0, err
		}
		e, err := newEntry(store.Cursor{}, store.Kind(record[0]), store.SID(record[1:17]), int64(order.Uint64(record[17:])))
		if err != nil {
			return n, 0, err
		}
		n.Entries = append(n.Entries, e)
	}
	return n, hold, checkEnd(r, digest.Sum(nil))
}

// checkEnd reads the digest, which must be this one, and the end.
func checkEnd(r *bufio.Reader, want []byte) error {
	got := make([]byte, len(want))
	if err := readWhole(r, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return malformed("the snapshot's digest is wrong")
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return malformed("something follows the snapshot")
	}
	return nil
}

func readWhole(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("the snapshot is torn off")
	}
	if err != nil {
		return fmt.Errorf("feed: read the snapshot: %w", err)
	}
	return nil
}

// get returns the latest snapshot, made anew where that is too old; false where
// the view is empty. The bytes must not be changed.
func (b *blob) get(v *View) ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.data != nil && v.clock.now() < b.made+snapshotFresh {
		return b.data, true
	}
	made := v.clock.now()
	head, entries, ok := v.snapshot()
	if !ok {
		return nil, false
	}
	b.made = made
	b.data = appendSnapshot(make([]byte, 0, snapshotHeader+snapshotEntry*len(entries)+sha256.Size),
		store.News{Head: head, Entries: entries, Now: v.Now()}, v.Hold())
	return b.data, true
}

// snapshot sends everything that is known. It proves nothing: the follower goes
// on from its head, and renews.
func (h *Hub) snapshot(w http.ResponseWriter, r *http.Request) {
	if !take(h.downloads) {
		busy(w, "too-many", "Too many read the snapshot at once.")
		return
	}
	defer func() { <-h.downloads }()
	data, ok := h.blob.get(h.view)
	if !ok {
		busy(w, "unproven", "This node has not read the log of ended sessions yet.")
		return
	}
	w.Header().Set("Content-Type", snapshotType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	s := newSender(w)
	if s.err != nil {
		problem.Write(w, http.StatusInternalServerError, "internal", "Something went wrong.")
		return
	}
	for len(data) > 0 && r.Context().Err() == nil {
		n := min(len(data), snapshotChunk)
		if s.send(data[:n]) != nil {
			return // torn off: the reader sees it by the length, and by the digest
		}
		data = data[n:]
	}
}
