package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"

	"github.com/counterfoil/counterfoil/store"
)

//go:embed lua
var sources embed.FS

// A script runs in the server, as one transaction.
type script struct {
	name, source, sha string
	kind              kind
}

type kind struct {
	flags  string   // for the server
	begin  []string // what its scripts have in common
	writes bool
	lasts  bool // what it wrote must be safe before it is acknowledged
}

var (
	looking = []string{"prelude", "clock", "sessions"}
	writing = []string{"prelude", "state", "sessions", "write"}

	reads   = kind{flags: "no-writes", begin: looking}
	follows = kind{flags: "no-writes", begin: []string{"prelude", "state"}}
	saves   = kind{begin: looking, writes: true, lasts: true}                     // the server refuses it when memory is full
	grows   = kind{begin: writing, writes: true, lasts: true}                     // and this
	ends    = kind{flags: "allow-oom", begin: writing, writes: true, lasts: true} // not this: a logout needs no room
	repeats = kind{flags: "allow-oom", begin: writing, writes: true}              // if it is lost it is done again
)

func newScript(name string, k kind) *script {
	source := "#!lua flags=" + k.flags + "\n"
	if k.flags == "" {
		source = "#!lua\n"
	}
	for _, part := range k.begin {
		source += read(part)
	}
	source += read(name)
	sum := sha1.Sum([]byte(source)) // the server's name for it, not a protection
	return &script{name, source, hex.EncodeToString(sum[:]), k}
}

func read(name string) string {
	source, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // it is part of this package
	}
	return string(source)
}

// run runs a script with arguments, after those of the prelude.
func (s *Store) run(ctx context.Context, sc *script, args ...string) (reply, error) {
	if err := s.usable(ctx); err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("the server did not answer within %v", s.timeout))
	defer cancel()
	first := []string{strconv.FormatInt(s.clock.reached(), 10)}
	if sc.kind.writes {
		var random [16]byte
		rand.Read(random[:]) // never fails since Go 1.24: it ends the program instead
		first = append(first, hex.EncodeToString(random[:]))
	}
	args = append(first, args...)

	answers := s.send(ctx, sc, "EVALSHA", sc.sha, args)
	if refused, ok := valkey.IsValkeyErr(answers[0].Error()); ok && refused.IsNoScript() {
		answers = s.send(ctx, sc, "EVAL", sc.source, args) // it did not run
	}
	values, err := answers[0].ToArray()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // the caller's, or ours
		}
		return reply{}, sc.explain(err)
	}
	if len(answers) == 2 {
		if err := s.waits.check(answers[1]); err != nil {
			return reply{}, err
		}
	}
	r := newReply(sc, values)
	outcome, now := r.text(0), r.int(1)
	if *r.err != nil {
		return reply{}, sc.explain(*r.err)
	}
	s.clock.observe(now)
	if outcome != "ok" {
		if err, ok := outcomes[outcome]; ok {
			return r, err
		}
		return r, sc.explain(fmt.Errorf("it says %q", outcome))
	}
	return r, nil
}

// usable reports why nothing may be sent.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return errClosed
	}
	return nil
}

// outcomes are what scripts answer instead of ok.
var outcomes = map[string]error{
	"notfound":   store.ErrNotFound,
	"conflict":   store.ErrConflict,
	"superseded": store.ErrSuperseded,
	"reused":     store.ErrReused,
	"unknown":    store.ErrUnknownCursor,
	"full":       store.ErrFull,
}

// send sends a script, and what waits for it to be safe.
func (s *Store) send(ctx context.Context, sc *script, command, what string, args []string) []valkey.ValkeyResult {
	if !sc.kind.writes {
		command += "_RO"
	}
	run := s.client.B().Arbitrary(command, what, "1").Keys(s.prefix + "meta").Args(args...).Build()
	if sc.kind.lasts && s.waits.any() {
		return s.onOneConnection(ctx, run, s.wait())
	}
	return s.onOneConnection(ctx, run)
}

// wait waits for what the connection has written before: on another one it
// would wait for nothing.
func (s *Store) wait() valkey.Completed {
	half := (s.timeout / 2).Milliseconds()
	if !s.waits.aof {
		return s.client.B().Wait().Numreplicas(int64(s.waits.replicas)).Timeout(half).Build()
	}
	disk := int64(0)
	if s.waits.disk {
		disk = 1
	}
	return s.client.B().Waitaof().Numlocal(disk).Numreplicas(int64(s.waits.replicas)).Timeout(half).Build()
}

// check returns store.ErrIndeterminate where a write is not as safe as it must
// be: the primary has it, but may lose it.
func (w waits) check(answer valkey.ValkeyResult) error {
	got := []int64{1}
	var err error
	if w.aof {
		got, err = answer.AsIntSlice()
	} else {
		var n int64
		n, err = answer.AsInt64()
		got = append(got, n)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: waiting until it is safe: %w", store.ErrIndeterminate, err)
	case len(got) != 2 || w.disk && got[0] < 1:
		return fmt.Errorf("%w: the primary did not write it to its disk in time", store.ErrIndeterminate)
	case got[1] < int64(w.replicas):
		return fmt.Errorf("%w: %d of %d replicas have it: are they connected, and with appendonly yes?", store.ErrIndeterminate, got[1], w.replicas)
	}
	return nil
}

// onOneConnection sends commands on the same connection, one after the other.
// Others share it, unless one of the commands waits.
//
// In a cluster it is a dedicated connection, which follows no redirection. The
// client would follow one for each command by itself, and so wait on the wrong
// server. And while a slot moves, the server that it moves to would run a script
// that finds a part of the keys only, and call a logout done whose session
// arrives later.
func (s *Store) onOneConnection(ctx context.Context, commands ...valkey.Completed) []valkey.ValkeyResult {
	if s.client.Mode() != valkey.ClientModeCluster {
		return s.client.DoMulti(ctx, commands...)
	}
	c, release := s.client.Dedicate()
	defer release()
	answers := c.DoMulti(ctx, commands...)
	for _, a := range answers {
		if a.NonValkeyError() != nil {
			c.Close() // what it is still to answer is for nobody
			break
		}
	}
	return answers
}

// explain says what an error means for the caller: whether the script has run.
func (sc *script) explain(err error) error {
	named := fmt.Errorf("redis: %s: %w", sc.name, err)
	var network *net.OpError
	refused, ok := valkey.IsValkeyErr(err)
	switch {
	case ok && strings.HasPrefix(refused.Error(), "OOM "):
		return fmt.Errorf("%w (%w)", store.ErrFull, named)
	case !sc.kind.writes,
		ok && !strings.Contains(refused.Error(), " script: "), // refused before it ran: an error within names the script
		errors.As(err, &network) && network.Op == "dial":
		return named
	}
	return fmt.Errorf("%w: %w", store.ErrIndeterminate, named)
}
