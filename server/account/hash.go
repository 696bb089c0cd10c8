package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// A cost says how dear one hash is, in the terms of Argon2 (RFC 9106).
type cost struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// defaultCost is what OWASP's password storage cheat sheet asks for (req 34).
var defaultCost = cost{memory: 19456, time: 2, threads: 1}

// maxCost bounds what a stored hash may ask for, so that a damaged row can't
// exhaust the memory.
var maxCost = cost{memory: 1 << 20, time: 64, threads: 16}

const (
	saltSize = 16
	keySize  = 32

	// maxQueue is how many may wait for a turn at hashing. At some 25 ms a
	// hash and processor, the last in the queue of a machine with two waits
	// for 3 s: a visitor's patience.
	maxQueue = 256
)

// A hasher makes and checks password hashes, a bounded number at a time: a
// flood of logins can't exhaust the memory.
type hasher struct {
	cost    cost
	derive  func(password, salt []byte, c cost) []byte // argon2id; tests count its calls
	turns   chan struct{}
	waiting atomic.Int64
	nobody  string // the hash of a password that nobody has
}

func newHasher(c cost, parallelism int) *hasher {
	h := &hasher{cost: c, derive: argon2id, turns: make(chan struct{}, parallelism)}
	h.nobody = h.hash(rand.Text())
	return h
}

func argon2id(password, salt []byte, c cost) []byte {
	return argon2.IDKey(password, salt, c.time, c.memory, c.threads, keySize)
}

// turn waits for a turn at hashing. Call done when it is over.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxQueue {
		return nil, ErrBusy
	}
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns the password's hash in PHC format. The caller has a turn.
func (h *hasher) hash(password string) string {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	key := h.derive([]byte(password), salt, h.cost)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.memory, h.cost.time, h.cost.threads, phcBase64.EncodeToString(salt), phcBase64.EncodeToString(key))
}

// matches reports whether the hash is the password's, and whether a new one
// would be stronger. The caller has a turn.
func (h *hasher) matches(hash, password string) (ok, outdated bool, err error) {
	c, salt, key, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	tooLong := len(password) > MaxPassword
	if tooLong {
		password = "" // nobody has it; the check below takes its usual time
	}
	same := subtle.ConstantTimeCompare(h.derive([]byte(password), salt, c), key) == 1
	return same && !tooLong, c.memory < h.cost.memory || c.time < h.cost.time, nil
}

var (
	phcBase64 = base64.RawStdEncoding.Strict()
	errPHC    = errors.New("a stored password hash is damaged: set the user's password anew")
)

// parsePHC reads what hash wrote:
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
func parsePHC(hash string) (c cost, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost{}, nil, nil, errPHC
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil {
		return cost{}, nil, nil, errPHC
	}
	if c.time < 1 || c.threads < 1 || c.memory > maxCost.memory || c.time > maxCost.time || c.threads > maxCost.threads {
		return cost{}, nil, nil, errPHC
	}
	salt, saltErr := phcBase64.DecodeString(parts[4])
	key, keyErr := phcBase64.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < saltSize || len(key) != keySize {
		return cost{}, nil, nil, errPHC
	}
	return c, salt, key, nil
}
