package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

var (
	createScript = newScript("create", grows)
	findScript   = newScript("find", reads)
	valuesScript = newScript("values", reads)
	saveScript   = newScript("save", saves)
	touchScript  = newScript("touch", repeats)
)

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, c store.Creation) (store.Session, error) {
	if err := c.Session.Validate(); err != nil {
		return store.Session{}, err
	}
	if err := checkValues(c.Values); err != nil {
		return store.Session{}, err
	}
	args := []string{
		c.Session.ID.String(), c.Session.User, optional(c.Replaces), flag(c.Inherit),
		strconv.FormatUint(c.Generation, 10), strconv.Itoa(max(c.Limit, 0)), number(retained(c.Retain)),
		number(c.Session.Idle.Milliseconds()), number(millis(c.Session.Deadline)), number(c.Lifetime.Milliseconds()),
		number(millis(c.Session.AuthTime)),
	}
	r, err := s.run(ctx, createScript, append(args, fields(c)...)...)
	if err != nil {
		return store.Session{}, err
	}
	session := c.Session
	session.Created, session.LastSeen, session.AsOf = fromMillis(r.int(1)), fromMillis(r.int(1)), fromMillis(r.int(1))
	session.Deadline, session.AuthTime = fromMillis(r.int(2)), fromMillis(r.int(3))
	session.Idle = session.Idle.Truncate(time.Millisecond)
	if *r.err != nil {
		return store.Session{}, createScript.explain(*r.err)
	}
	return session, nil
}

// fields are what the script stores as it is: names and values. What is empty
// is left out.
func fields(c store.Creation) []string {
	var all []string
	add := func(name, value string) {
		if value != "" {
			all = append(all, name, value)
		}
	}
	add("name", c.Session.Name)
	add("methods", c.Session.Methods)
	add("agent", c.Session.UserAgent)
	add("address", c.Session.Address)
	add("lineage", optional(c.Session.Lineage))
	if c.Session.Persistent {
		add("persistent", "1")
	}
	addDigest := func(name string, d store.Digest) {
		if d != (store.Digest{}) {
			add(name, string(d[:]))
		}
	}
	addDigest("secret", c.Session.Secret)
	addDigest("family", c.Refresh.Family)
	addDigest("current", c.Refresh.Current)
	if !c.Inherit {
		add("values", string(c.Values))
	}
	return all
}

// optional writes an id; the zero one as nothing.
func optional(id store.SID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// session reads the record of a session, in the order of the scripts' record.
func (r reply) session(asOf int64) store.Session {
	s := store.Session{
		ID:         r.sid(0),
		LastSeen:   fromMillis(r.int(1)),
		Idle:       time.Duration(r.int(2)) * time.Millisecond,
		Deadline:   fromMillis(r.int(3)),
		Created:    fromMillis(r.int(4)),
		AuthTime:   fromMillis(r.int(5)),
		User:       r.text(6),
		Name:       r.text(7),
		Methods:    r.text(8),
		UserAgent:  r.text(9),
		Address:    r.text(10),
		Lineage:    r.sid(12),
		Persistent: r.text(13) == "1",
		AsOf:       fromMillis(asOf),
	}
	r.bytes(11, s.Secret[:])
	return s
}

// Find implements [store.Store]. It asks the primary.
func (s *Store) Find(ctx context.Context, id store.SID) (store.Session, error) {
	r, err := s.run(ctx, findScript, id.String())
	if err != nil {
		return store.Session{}, err
	}
	session := r.list(2).session(r.int(1))
	if *r.err != nil {
		return store.Session{}, *r.err
	}
	return session, nil
}

// Values implements [store.Store].
func (s *Store) Values(ctx context.Context, id store.SID) ([]byte, uint64, error) {
	r, err := s.run(ctx, valuesScript, id.String())
	if err != nil {
		return nil, 0, err
	}
	values, version := r.text(3), r.uint(2)
	if values == "" {
		return nil, version, *r.err
	}
	return []byte(values), version, *r.err
}

// SaveValues implements [store.Store].
func (s *Store) SaveValues(ctx context.Context, id store.SID, version uint64, values []byte) error {
	if err := checkValues(values); err != nil {
		return err
	}
	_, err := s.run(ctx, saveScript, id.String(), strconv.FormatUint(version, 10), string(values))
	return err
}

func checkValues(values []byte) error {
	if len(values) > store.MaxValues {
		return fmt.Errorf("%w: the values of a session take at most %d bytes", store.ErrTooLarge, store.MaxValues)
	}
	return nil
}

// touchBatch is how many sessions one script touches: others are served
// between two.
const touchBatch = 256

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, touches []store.Touch) error {
	if len(touches) > store.MaxTouchSize {
		return fmt.Errorf("%w: at most %d touches at once", store.ErrTooLarge, store.MaxTouchSize)
	}
	return batches(touches, touchBatch, func(some []store.Touch) error {
		var args []string
		for _, t := range some {
			args = append(args, t.ID.String(), number(millis(t.At)))
		}
		_, err := s.run(ctx, touchScript, args...)
		return err
	})
}

// batches calls do with parts of all, and at least once.
func batches[T any](all []T, size int, do func([]T) error) error {
	for {
		n := min(size, len(all))
		if err := do(all[:n]); err != nil {
			return err
		}
		if all = all[n:]; len(all) == 0 {
			return nil
		}
	}
}
